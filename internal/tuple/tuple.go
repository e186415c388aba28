// Package tuple prints shapes as Keras does, for messages.
package tuple

import (
	"fmt"
	"strings"
)

// Of returns dimensions as Keras prints them: "(None, 10, 64)", "(3,)". One that
// is not known is below 0.
func Of(dims []int) string {
	var b strings.Builder
	b.WriteByte('(')
	for i, d := range dims {
		if i > 0 {
			b.WriteString(", ")
		}
		if d < 0 {
			b.WriteString("None")
		} else {
			fmt.Fprint(&b, d)
		}
	}
	if len(dims) == 1 {
		b.WriteByte(',')
	}
	b.WriteByte(')')
	return b.String()
}
