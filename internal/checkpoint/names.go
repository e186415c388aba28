package checkpoint

import (
	"fmt"
	"strconv"
	"strings"
)

const (
	prefix   = "ckpt-"
	unsure   = ".tmp" // ends the name of a directory that is not complete
	lockName = "LOCK"
)

func dirName(n int64) string { return fmt.Sprintf("%s%08d", prefix, n) }

// parseDir returns the number in a directory's name, and whether the name says
// that it is complete. ok is false for names that this package does not give.
func parseDir(name string) (n int64, complete, ok bool) {
	digits, had := strings.CutPrefix(name, prefix)
	digits, tmp := strings.CutSuffix(digits, unsure)
	n, err := strconv.ParseInt(digits, 10, 63)
	if !had || err != nil || n < 0 || dirName(n) != prefix+digits {
		return 0, false, false
	}
	return n, !tmp, true
}

// checkName lets names through that every file system keeps as they are.
func checkName(name string) error {
	bad := strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-%", r))
	})
	if bad || name == "" || len(name) > 200 || name[0] == '.' || strings.EqualFold(name, manifestName) {
		return fmt.Errorf("%w: %.220q: use up to 200 ASCII letters, digits, '-', '_', '%%' and '.', not first, and not %s", ErrName, name, manifestName)
	}
	return nil
}
