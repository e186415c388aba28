// Package vfs is the few file operations that Rowan uses, so that the same code
// can run on a disk, in memory, and on a file system that fails on purpose.
//
//	OS        the machine's files
//	Mem       in memory; Crash gives what a power cut would have left
//	Failing   any of them, with chosen operations failing
//
// What has been written is not yet kept. A file's bytes survive a power cut once
// [File.Sync] has returned, and its name once [FS.SyncDir] of its directory has:
//
//	Create a.tmp   Write   Sync        the bytes are on the disk, perhaps without a name
//	Rename a.tmp to a                  readers see a; a power cut may still undo it
//	SyncDir .                          a is kept
package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
)

// ErrLocked says that another process, or another part of this one, holds the lock.
var ErrLocked = errors.New("vfs: locked by another process")

// File is an open file. One opened by [FS.Open] refuses Write and Sync; one
// made by [FS.Create] can be written only. Not safe for concurrent use, except ReadAt.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.Closer
	// Sync returns when the bytes written so far are on stable storage.
	Sync() error
	// Size returns the length of the file in bytes.
	Size() (int64, error)
}

// Info says what a name stands for.
type Info struct {
	// Size is the length in bytes; 0 for a directory.
	Size int64
	// Dir tells a directory from a file.
	Dir bool
}

// FS is a file system. Names are paths in the machine's form, as [filepath.Join]
// makes them. Errors match [fs.ErrNotExist], [fs.ErrExist] and
// [fs.ErrPermission] where those apply, and name the path. Implementations are
// safe for concurrent use.
type FS interface {
	// Create makes a file, or empties the one that is there, for writing.
	Create(name string) (File, error)
	// Open opens a file for reading.
	Open(name string) (File, error)
	// Rename gives a file or directory a new name, at once. A file of the new
	// name is replaced; a directory of the new name is an error.
	Rename(old, name string) error
	// Remove deletes a file or an empty directory.
	Remove(name string) error
	// Mkdir makes a directory whose parent is there.
	Mkdir(name string) error
	// ReadDir returns the names in a directory, sorted.
	ReadDir(name string) ([]string, error)
	// Stat says what name is.
	Stat(name string) (Info, error)
	// SyncDir returns when the names in a directory are on stable storage.
	SyncDir(name string) error
	// Lock makes the file name if need be and takes the lock on it, which ends
	// with Close or with the process. It does not wait: ErrLocked says that
	// somebody else has it.
	Lock(name string) (io.Closer, error)
}

// MkdirAll makes a directory and the parents it lacks, and syncs each parent in
// which it made a name, so that what is kept in the directory can be found.
func MkdirAll(f FS, name string) error {
	info, err := f.Stat(name)
	if err == nil && info.Dir {
		return nil
	}
	if err == nil {
		return &fs.PathError{Op: "mkdir", Path: name, Err: errors.New("a file of this name is in the way")}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(name)
	if parent != name {
		if err := MkdirAll(f, parent); err != nil {
			return err
		}
	}
	if err := f.Mkdir(name); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return f.SyncDir(parent)
}

// RemoveDir deletes a directory and the files in it. It does not go down: a
// directory inside that holds something is an error. A name that is not there
// is no error.
func RemoveDir(f FS, name string) error {
	names, err := f.ReadDir(name)
	for _, n := range names {
		if err == nil {
			err = f.Remove(filepath.Join(name, n))
		}
	}
	if err == nil {
		err = f.Remove(name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// ReadFile returns the bytes of a file of at most limit bytes; a longer one is
// an error, not memory.
func ReadFile(f FS, name string, limit int64) ([]byte, error) {
	r, err := f.Open(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	size, err := r.Size()
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("%d bytes, expected at most %d", size, limit)}
	}
	return io.ReadAll(io.LimitReader(r, limit+1))
}
