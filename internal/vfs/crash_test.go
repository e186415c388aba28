package vfs

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"syscall"
	"testing"
)

// state returns what is under a name: its text, "dir" or "none".
func state(t *testing.T, f FS, name string) string {
	t.Helper()
	info, err := f.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "none"
	case err != nil:
		t.Fatal(err)
	case info.Dir:
		return "dir"
	}
	return get(t, f, name)
}

func TestCrashKeepsWhatWasSynced(t *testing.T) {
	write := func(t *testing.T, m *Mem, text string, sync bool) {
		w, err := m.Create("d/a")
		must(t, err)
		_, err = io.WriteString(w, text)
		must(t, err)
		if sync {
			must(t, w.Sync())
		}
	}
	tests := map[string]struct {
		do         func(t *testing.T, m *Mem)
		cut, kill9 string // what d/a is after a power cut and after a kill
	}{
		"nothing":              {func(t *testing.T, m *Mem) {}, "none", "none"},
		"written":              {func(t *testing.T, m *Mem) { write(t, m, "new", false) }, "none", "new"},
		"bytes synced":         {func(t *testing.T, m *Mem) { write(t, m, "new", true) }, "none", "new"},
		"name synced":          {func(t *testing.T, m *Mem) { write(t, m, "new", false); must(t, m.SyncDir("d")) }, "", "new"},
		"both synced":          {func(t *testing.T, m *Mem) { write(t, m, "new", true); must(t, m.SyncDir("d")) }, "new", "new"},
		"rewritten":            {func(t *testing.T, m *Mem) { saved(t, m); write(t, m, "new", false) }, "old", "new"},
		"rewritten and synced": {func(t *testing.T, m *Mem) { saved(t, m); write(t, m, "new", true) }, "new", "new"},
		"removed":              {func(t *testing.T, m *Mem) { saved(t, m); must(t, m.Remove("d/a")) }, "old", "none"},
		"removal synced": {func(t *testing.T, m *Mem) {
			saved(t, m)
			must(t, m.Remove("d/a"))
			must(t, m.SyncDir("d"))
		}, "none", "none"},
		"renamed away": {func(t *testing.T, m *Mem) { saved(t, m); must(t, m.Rename("d/a", "d/b")) }, "old", "none"},
		"replaced": {func(t *testing.T, m *Mem) {
			saved(t, m)
			put(t, m, "d/b", "new")
			must(t, m.Rename("d/b", "d/a"))
		}, "old", "new"},
		"replacement synced": {func(t *testing.T, m *Mem) {
			saved(t, m)
			put(t, m, "d/b", "new")
			must(t, m.Rename("d/b", "d/a"))
			must(t, m.SyncDir("d"))
		}, "new", "new"},
		"directory never synced": {func(t *testing.T, m *Mem) {
			must(t, m.Rename("d", "e"))
			must(t, m.Mkdir("d"))
			put(t, m, "d/a", "new")
			must(t, m.SyncDir("d"))
		}, "none", "new"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := NewMem()
			must(t, MkdirAll(m, "d"))
			test.do(t, m)
			if got := state(t, m.Crash(), "d/a"); got != test.cut {
				t.Errorf("after a power cut %q, want %q", got, test.cut)
			}
			if got := state(t, m.CrashKeeping(func() bool { return true }), "d/a"); got != test.kill9 {
				t.Errorf("after a power cut that lost nothing %q, want %q", got, test.kill9)
			}
			if got := state(t, m.Kill(), "d/a"); got != test.kill9 {
				t.Errorf("after a kill %q, want %q", got, test.kill9)
			}
			if got := state(t, m.Kill().Crash(), "d/a"); got != test.cut {
				t.Errorf("after a kill and a power cut %q, want %q", got, test.cut)
			}
			if got := state(t, m, "d/a"); got != test.kill9 {
				t.Errorf("the file system itself changed: %q, want %q", got, test.kill9)
			}
		})
	}
}

// saved keeps "old" under d/a.
func saved(t *testing.T, m *Mem) {
	put(t, m, "d/a", "old")
	must(t, m.SyncDir("d"))
}

// TestCrashKeepingSome expects all that a disk may do to a file rewritten and
// renamed without a sync, and nothing else.
func TestCrashKeepingSome(t *testing.T) {
	m := NewMem()
	must(t, MkdirAll(m, "d"))
	saved(t, m)
	w, err := m.Create("d/b")
	must(t, err)
	_, err = io.WriteString(w, "new!")
	must(t, err)
	must(t, m.Rename("d/b", "d/a"))
	rng := rand.New(rand.NewPCG(1, 2))
	seen := map[string]int{}
	for range 1000 {
		seen[state(t, m.CrashKeeping(func() bool { return rng.IntN(2) == 0 }), "d/a")]++
	}
	for _, want := range []string{"old", "", "ne", "new!"} {
		if seen[want] == 0 {
			t.Errorf("never %q, only %v", want, seen)
		}
		delete(seen, want)
	}
	if len(seen) > 0 {
		t.Errorf("also %v", seen)
	}
}

func TestCrashEndsLocks(t *testing.T) {
	m := NewMem()
	_, err := m.Lock("LOCK")
	must(t, err)
	for _, after := range []*Mem{m.Crash(), m.Kill()} {
		_, err = after.Lock("LOCK")
		must(t, err)
	}
}

func TestKillCopies(t *testing.T) {
	m := NewMem()
	must(t, MkdirAll(m, "d"))
	saved(t, m)
	killed := m.Kill()
	put(t, killed, "d/a", "new")
	if got := state(t, m, "d/a"); got != "old" {
		t.Errorf("the file system that Kill copied holds %q", got)
	}
}

func TestOpenFilesFollowTheirFile(t *testing.T) {
	m := NewMem()
	put(t, m, "a", "text")
	r, err := m.Open("a")
	must(t, err)
	must(t, m.Remove("a"))
	if b, err := io.ReadAll(r); err != nil || string(b) != "text" {
		t.Errorf("%q, %v", b, err)
	}
}

var errStaged = errors.New("staged")

func TestFailingFailsEachOperation(t *testing.T) {
	for _, kind := range []string{
		"create", "open", "rename", "remove", "mkdir", "readdir", "stat", "syncdir", "lock",
		"write", "sync", "close", "read", "size",
	} {
		t.Run(kind, func(t *testing.T) {
			m := NewMem()
			asked := 0
			f := NewFailing(m, func(op Op) error {
				if op.Kind == kind {
					asked++
					return errStaged
				}
				return nil
			})
			if err := everything(f); !errors.Is(err, errStaged) {
				t.Errorf("got %v", err)
			}
			if asked == 0 {
				t.Error("never asked")
			}
		})
	}
}

// everything does each operation once and returns the errors.
func everything(f FS) error {
	errs := []error{f.Mkdir("d"), f.SyncDir("d")}
	add := func(err error) { errs = append(errs, err) }
	if w, err := f.Create("d/a"); err == nil {
		_, err := w.Write([]byte("1234"))
		add(errors.Join(err, w.Sync(), w.Close()))
	} else {
		add(err)
	}
	if r, err := f.Open("d/a"); err == nil {
		b := make([]byte, 1)
		_, e1 := r.Read(b)
		_, e2 := r.ReadAt(b, 1)
		_, e3 := r.Size()
		add(errors.Join(e1, e2, e3, r.Close()))
	} else {
		add(err)
	}
	_, err := f.ReadDir("d")
	add(err)
	_, err = f.Stat("d")
	add(err)
	if l, err := f.Lock("d/l"); err == nil {
		add(l.Close())
	} else {
		add(err)
	}
	add(f.Rename("d/a", "d/b"))
	add(f.Remove("d/b"))
	return errors.Join(errs...)
}

func TestFailingNothingIsNothing(t *testing.T) {
	must(t, everything(NewFailing(NewMem(), FailAt(1000, errStaged))))
}

func TestFailingWriteIsShort(t *testing.T) {
	m := NewMem()
	f := NewFailing(m, func(op Op) error {
		if op.Kind == "write" {
			return syscall.ENOSPC
		}
		return nil
	})
	w, err := f.Create("a")
	must(t, err)
	if n, err := w.Write([]byte("12345")); n != 2 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("wrote %d, %v", n, err)
	}
	must(t, w.Close())
	if got := get(t, m, "a"); got != "12" {
		t.Errorf("the file holds %q", got)
	}
}

func TestFailAtAndFrom(t *testing.T) {
	at, from := FailAt(2, errStaged), FailFrom(2, errStaged)
	for i, want := range []struct{ at, from error }{{}, {errStaged, errStaged}, {nil, errStaged}} {
		if a, f := at(Op{}), from(Op{}); a != want.at || f != want.from {
			t.Errorf("operation %d: FailAt %v, FailFrom %v", i+1, a, f)
		}
	}
}
