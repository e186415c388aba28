package vfs

import (
	"io"
	"io/fs"
	"slices"
)

// memFile is an open file of a Mem. Like one of a disk it follows its file when
// that is renamed or removed.
type memFile struct {
	m      *Mem
	n      *node
	name   string
	writes bool
	at     int64
	closed bool
}

func (f *memFile) or(err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return f, nil
}

// do runs an operation on an open file. It passes io.EOF through as it is.
func (f *memFile) do(op string, writes bool, run func() error) error {
	eof := false
	err := f.m.do(op, f.name, func() error {
		if f.closed {
			return fs.ErrClosed
		}
		if f.writes != writes {
			return errMode
		}
		err := run()
		eof = err == io.EOF
		if eof {
			return nil
		}
		return err
	})
	if eof {
		return io.EOF
	}
	return err
}

// Read implements [io.Reader].
func (f *memFile) Read(b []byte) (n int, err error) {
	err = f.do("read", false, func() (err error) {
		n, err = f.n.readAt(b, f.at)
		f.at += int64(n)
		if n > 0 {
			return nil
		}
		return err
	})
	return n, err
}

// ReadAt implements [io.ReaderAt].
func (f *memFile) ReadAt(b []byte, at int64) (n int, err error) {
	err = f.do("read", false, func() (err error) {
		n, err = f.n.readAt(b, at)
		return err
	})
	return n, err
}

func (n *node) readAt(b []byte, at int64) (int, error) {
	if at < 0 {
		return 0, fs.ErrInvalid
	}
	read := copy(b, n.data[min(at, int64(len(n.data))):])
	if read < len(b) {
		return read, io.EOF
	}
	return read, nil
}

// Write implements [io.Writer].
func (f *memFile) Write(b []byte) (n int, err error) {
	err = f.do("write", true, func() error {
		f.n.data = append(f.n.data, b...)
		n = len(b)
		return nil
	})
	return n, err
}

// Sync implements [File].
func (f *memFile) Sync() error {
	return f.do("sync", true, func() error {
		f.n.kept = slices.Clone(f.n.data)
		return nil
	})
}

// Size implements [File].
func (f *memFile) Size() (size int64, err error) {
	err = f.do("size", f.writes, func() error {
		size = int64(len(f.n.data))
		return nil
	})
	return size, err
}

// Close implements [io.Closer].
func (f *memFile) Close() error {
	return f.do("close", f.writes, func() error {
		f.closed = true
		return nil
	})
}
