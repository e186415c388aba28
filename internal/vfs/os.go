package vfs

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// OS is the machine's file system.
type OS struct{}

type osFile struct{ *os.File }

// Create implements [FS]. Files are readable by all whom the umask lets.
func (OS) Create(name string) (File, error) {
	return wrap(os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o666))
}

// Open implements [FS].
func (OS) Open(name string) (File, error) { return wrap(os.Open(name)) }

func wrap(f *os.File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// Size implements [File].
func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Rename implements [FS].
func (OS) Rename(old, name string) error { return os.Rename(old, name) }

// Remove implements [FS].
func (OS) Remove(name string) error { return os.Remove(name) }

// Mkdir implements [FS].
func (OS) Mkdir(name string) error { return os.Mkdir(name, 0o777) }

// ReadDir implements [FS].
func (OS) ReadDir(name string) ([]string, error) {
	entries, err := os.ReadDir(name)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

// Stat implements [FS].
func (OS) Stat(name string) (Info, error) {
	info, err := os.Stat(name)
	if err != nil {
		return Info{}, err
	}
	if info.IsDir() {
		return Info{Dir: true}, nil
	}
	return Info{Size: info.Size()}, nil
}

// SyncDir implements [FS]. Where directories cannot be synced (Windows, and
// some network file systems, which answer EINVAL) it does nothing: there the
// system orders changes of names by itself.
func (OS) SyncDir(name string) error {
	if !dirsSync {
		return nil
	}
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}

// Lock implements [FS]. The file stays when the lock ends: deleting it would
// let two processes each hold a lock on a file of that name.
func (OS) Lock(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f); err != nil {
		return nil, errors.Join(&os.PathError{Op: "lock", Path: name, Err: err}, f.Close())
	}
	return f, nil
}
