package plugin

import "errors"

// What the tests of the package's outside use of its inside.
var (
	Serve   = serve
	Guarded = guarded
	ErrGone = errGone
)

const (
	Done     = done
	Failed   = failed
	Panicked = panicked
)

// IsOver says whether an error is that of a question after the call.
func IsOver(err error) bool { return errors.Is(err, errOver) }
