package vfs

import (
	"io"
	"sync/atomic"
)

// Op is an operation that is about to be done.
type Op struct {
	// Kind is the method's name in lower case, with "read" for Read and ReadAt.
	Kind string
	// Name is the path, of a rename the old one.
	Name string
}

// Failing is a file system whose operations fail when told to.
type Failing struct {
	fs   FS
	fail func(Op) error
}

// NewFailing wraps a file system. Before each operation fail is asked, by any
// number of goroutines at once; if it returns an error the operation is not done
// and returns that error, with two exceptions: a failing Write writes the first
// half of its bytes, as a full disk does, and a failing Close closes.
func NewFailing(f FS, fail func(Op) error) *Failing { return &Failing{fs: f, fail: fail} }

// FailAt fails the n-th operation, counted from 1, and no other.
func FailAt(n int64, err error) func(Op) error {
	return failIf(func(i int64) bool { return i == n }, err)
}

// FailFrom fails the n-th operation, counted from 1, and all that follow, as if
// the process had been killed there.
func FailFrom(n int64, err error) func(Op) error {
	return failIf(func(i int64) bool { return i >= n }, err)
}

func failIf(hit func(int64) bool, err error) func(Op) error {
	var count atomic.Int64
	return func(Op) error {
		if hit(count.Add(1)) {
			return err
		}
		return nil
	}
}

// Create implements [FS].
func (f *Failing) Create(name string) (File, error) {
	return f.open("create", name, f.fs.Create)
}

// Open implements [FS].
func (f *Failing) Open(name string) (File, error) { return f.open("open", name, f.fs.Open) }

func (f *Failing) open(kind, name string, open func(string) (File, error)) (File, error) {
	if err := f.fail(Op{kind, name}); err != nil {
		return nil, err
	}
	under, err := open(name)
	if err != nil {
		return nil, err
	}
	return &failingFile{File: under, name: name, fail: f.fail}, nil
}

// Rename implements [FS].
func (f *Failing) Rename(old, name string) error {
	if err := f.fail(Op{"rename", old}); err != nil {
		return err
	}
	return f.fs.Rename(old, name)
}

// Remove implements [FS].
func (f *Failing) Remove(name string) error { return f.run("remove", name, f.fs.Remove) }

// Mkdir implements [FS].
func (f *Failing) Mkdir(name string) error { return f.run("mkdir", name, f.fs.Mkdir) }

// SyncDir implements [FS].
func (f *Failing) SyncDir(name string) error { return f.run("syncdir", name, f.fs.SyncDir) }

func (f *Failing) run(kind, name string, do func(string) error) error {
	if err := f.fail(Op{kind, name}); err != nil {
		return err
	}
	return do(name)
}

// ReadDir implements [FS].
func (f *Failing) ReadDir(name string) ([]string, error) {
	if err := f.fail(Op{"readdir", name}); err != nil {
		return nil, err
	}
	return f.fs.ReadDir(name)
}

// Stat implements [FS].
func (f *Failing) Stat(name string) (Info, error) {
	if err := f.fail(Op{"stat", name}); err != nil {
		return Info{}, err
	}
	return f.fs.Stat(name)
}

// Lock implements [FS]. Ending the lock never fails.
func (f *Failing) Lock(name string) (io.Closer, error) {
	if err := f.fail(Op{"lock", name}); err != nil {
		return nil, err
	}
	return f.fs.Lock(name)
}

type failingFile struct {
	File
	name string
	fail func(Op) error
}

// Read implements [io.Reader].
func (f *failingFile) Read(b []byte) (int, error) {
	if err := f.fail(Op{"read", f.name}); err != nil {
		return 0, err
	}
	return f.File.Read(b)
}

// ReadAt implements [io.ReaderAt].
func (f *failingFile) ReadAt(b []byte, at int64) (int, error) {
	if err := f.fail(Op{"read", f.name}); err != nil {
		return 0, err
	}
	return f.File.ReadAt(b, at)
}

// Write implements [io.Writer].
func (f *failingFile) Write(b []byte) (int, error) {
	if err := f.fail(Op{"write", f.name}); err != nil {
		n, _ := f.File.Write(b[:len(b)/2])
		return n, err
	}
	return f.File.Write(b)
}

// Sync implements [File].
func (f *failingFile) Sync() error {
	if err := f.fail(Op{"sync", f.name}); err != nil {
		return err
	}
	return f.File.Sync()
}

// Size implements [File].
func (f *failingFile) Size() (int64, error) {
	if err := f.fail(Op{"size", f.name}); err != nil {
		return 0, err
	}
	return f.File.Size()
}

// Close implements [io.Closer].
func (f *failingFile) Close() error {
	if err := f.fail(Op{"close", f.name}); err != nil {
		_ = f.File.Close() // the staged failure is the one to report
		return err
	}
	return f.File.Close()
}
