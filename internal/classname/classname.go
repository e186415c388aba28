// Package classname knows how Keras names its classes.
package classname

import (
	"strings"
	"unicode"
)

// Snake turns a class name into Keras' snake case: "GlobalAveragePooling1D"
// becomes "global_average_pooling1d", "KLDivergence" "kl_divergence".
func Snake(class string) string {
	var b strings.Builder
	runes := []rune(class)
	for i, r := range runes {
		if unicode.IsUpper(r) && i > 0 {
			before := runes[i-1]
			next := i+1 < len(runes) && unicode.IsLower(runes[i+1])
			if unicode.IsLower(before) || (unicode.IsUpper(before) && next) {
				b.WriteByte('_')
			}
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
