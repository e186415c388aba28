package recipe

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rowan-embeddings/rowan/dataset"
	"github.com/rowan-embeddings/rowan/internal/suggest"
)

// Errors of this package; match with errors.Is. Errors of data, tables, models
// and checkpoints come wrapped.
var (
	// ErrConfig: a [Config] cannot be followed. The error is a *[FieldError].
	ErrConfig = errors.New("recipe: bad config")
	// ErrOtherConfig: training cannot go on from a checkpoint of another config.
	ErrOtherConfig = errors.New("recipe: the checkpoint is of another config")
	// ErrUnknown: a table or key that was asked for is not in the checkpoint.
	ErrUnknown = errors.New("recipe: not in the checkpoint")
	// ErrArgument: an argument makes no sense.
	ErrArgument = errors.New("recipe: bad argument")
	// ErrNotFinite: a prediction is not a finite number.
	ErrNotFinite = errors.New("recipe: a prediction is not finite")
)

// FieldError says which field of a config is wrong, and why. It wraps ErrConfig.
type FieldError struct {
	// Field is the way to it under its names in files: "tables[0].width".
	Field string
	// Err says what was expected and what arrived.
	Err error
}

// Error returns "recipe: bad config: tables[0].width: it must be positive, got 0".
func (e *FieldError) Error() string {
	return ErrConfig.Error() + ": " + e.Field + ": " + e.Err.Error()
}

// Unwrap returns ErrConfig and Err.
func (e *FieldError) Unwrap() []error { return []error{ErrConfig, e.Err} }

func fieldError(field, format string, args ...any) error {
	return &FieldError{field, fmt.Errorf(format, args...)}
}

// inField says that err is about a field, which may be nil.
func inField(field string, err error) error {
	if err == nil {
		return nil
	}
	return &FieldError{field, err}
}

// dataError turns an error of a dataset declaration, which begins with the
// field it is about, into one of that field of a config.
func dataError(under string, err error) error {
	if err == nil || !errors.Is(err, dataset.ErrConfig) {
		return err
	}
	text, found := strings.CutPrefix(err.Error(), dataset.ErrConfig.Error()+": ")
	field, text, cut := strings.Cut(text, ": ")
	if !found || !cut || strings.Contains(field, " ") {
		return inField(under, err)
	}
	return &FieldError{under + "." + field, errors.New(text)}
}

// oneOf returns an error unless got is among the known names.
func oneOf(field, got string, known []string) error {
	if slices.Contains(known, got) {
		return nil
	}
	return fieldError(field, "%q is not known here%s (known: %s)", got, suggest.Hint(got, known), strings.Join(known, ", "))
}
