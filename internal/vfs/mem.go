package vfs

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"sync"
)

// Mem is a file system in memory that remembers what has been synced. Relative
// names and those under the root are the same. The zero value is not usable:
// see [NewMem].
type Mem struct {
	mu     sync.Mutex
	root   *node
	locked map[string]bool
}

// node is a file or a directory. Each has two states: the one that is seen, and
// the one that a power cut leaves.
type node struct {
	dir        bool
	data, kept []byte           // of a file
	names      map[string]*node // of a directory
	keptNames  map[string]*node
}

var (
	errIsDir    = errors.New("is a directory")
	errNotDir   = errors.New("not a directory")
	errNotEmpty = errors.New("directory not empty")
	errInside   = errors.New("the new name lies inside the old")
	errMode     = errors.New("file not opened for this")
)

// NewMem returns an empty file system.
func NewMem() *Mem { return &Mem{root: newDir(), locked: map[string]bool{}} }

func newDir() *node {
	return &node{dir: true, names: map[string]*node{}, keptNames: map[string]*node{}}
}

// Crash returns what a power cut would leave at this moment in the worst case:
// the bytes of files as of their last Sync, under the names as of their
// directory's last SyncDir. Nobody holds a lock in it. m itself is unchanged.
func (m *Mem) Crash() *Mem { return m.CrashKeeping(func() bool { return false }) }

// CrashKeeping is Crash with a choice: survives is asked for each change that
// was not synced whether the disk happened to have it. A name changes or does
// not, each for itself, so that a rename may be found half done; of a file the
// new bytes are there, half of them, or the old ones.
func (m *Mem) CrashKeeping(survives func() bool) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := NewMem()
	c.root = m.root.crash(survives)
	return c
}

// Kill returns what a killed process leaves on a machine that runs on: all that
// was written, of which what was not synced is still not safe from a power cut.
// Nobody holds a lock in it. m itself is unchanged.
func (m *Mem) Kill() *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := NewMem()
	c.root = m.root.clone(map[*node]*node{})
	return c
}

// clone copies n and what it leads to. A node that two names lead to, a new one
// and one that is only kept, stays one.
func (n *node) clone(done map[*node]*node) *node {
	if c := done[n]; c != nil {
		return c
	}
	c := &node{dir: n.dir, data: slices.Clone(n.data), kept: slices.Clone(n.kept)}
	done[n] = c
	copyNames := func(names map[string]*node) map[string]*node {
		if names == nil {
			return nil
		}
		m := make(map[string]*node, len(names))
		for name, child := range names {
			m[name] = child.clone(done)
		}
		return m
	}
	c.names, c.keptNames = copyNames(n.names), copyNames(n.keptNames)
	return c
}

func (n *node) crash(survives func() bool) *node {
	if !n.dir {
		data := slices.Clone(n.survivingData(survives))
		return &node{data: data, kept: data}
	}
	c := newDir()
	all := maps.Clone(n.keptNames)
	maps.Copy(all, n.names)
	for _, name := range slices.Sorted(maps.Keys(all)) { // sorted: survives may be random with a seed
		left := n.keptNames[name]
		if now := n.names[name]; now != left && survives() {
			left = now
		}
		if left != nil {
			c.names[name] = left.crash(survives)
		}
	}
	c.keptNames = maps.Clone(c.names)
	return c
}

func (n *node) survivingData(survives func() bool) []byte {
	switch {
	case slices.Equal(n.data, n.kept):
		return n.kept
	case survives():
		return n.data
	case survives():
		return n.data[:len(n.data)/2]
	}
	return n.kept
}

func split(name string) (dir, base string) {
	clean := path.Clean("/" + filepath.ToSlash(name))
	return path.Dir(clean), path.Base(clean)
}

// find returns the node of a name.
func (m *Mem) find(name string) (*node, error) {
	dir, base := split(name)
	if base == "/" {
		return m.root, nil
	}
	parent, err := m.find(dir)
	if err != nil {
		return nil, err
	}
	if !parent.dir {
		return nil, errNotDir
	}
	if n := parent.names[base]; n != nil {
		return n, nil
	}
	return nil, fs.ErrNotExist
}

// place returns the directory that a name is or would be in.
func (m *Mem) place(name string) (parent *node, base string, err error) {
	dir, base := split(name)
	if parent, err = m.find(dir); err == nil && !parent.dir {
		err = errNotDir
	}
	return parent, base, err
}

// do runs f under the lock and names operation and path in its error.
func (m *Mem) do(op, name string, f func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := f(); err != nil {
		return &fs.PathError{Op: op, Path: name, Err: err}
	}
	return nil
}

// Create implements [FS].
func (m *Mem) Create(name string) (File, error) {
	f := &memFile{m: m, name: name, writes: true}
	err := m.do("create", name, func() error {
		parent, base, err := m.place(name)
		if err != nil {
			return err
		}
		f.n = parent.names[base]
		switch {
		case f.n == nil:
			f.n = &node{}
			parent.names[base] = f.n
		case f.n.dir:
			return errIsDir
		}
		f.n.data = nil
		return nil
	})
	return f.or(err)
}

// Open implements [FS].
func (m *Mem) Open(name string) (File, error) {
	f := &memFile{m: m, name: name}
	err := m.do("open", name, func() (err error) {
		if f.n, err = m.find(name); err == nil && f.n.dir {
			return errIsDir
		}
		return err
	})
	return f.or(err)
}

// Rename implements [FS].
func (m *Mem) Rename(old, name string) error {
	return m.do("rename", old, func() error {
		n, err := m.find(old)
		if err != nil {
			return err
		}
		from, oldBase, err := m.place(old)
		if err != nil {
			return err
		}
		to, base, err := m.place(name)
		if err != nil {
			return err
		}
		there := to.names[base]
		switch {
		case there != nil && (there.dir || n.dir):
			return fs.ErrExist
		case n.holds(to):
			return errInside
		}
		delete(from.names, oldBase)
		to.names[base] = n
		return nil
	})
}

func (n *node) holds(other *node) bool {
	if n == other {
		return true
	}
	for _, c := range n.names {
		if c.holds(other) {
			return true
		}
	}
	return false
}

// Remove implements [FS].
func (m *Mem) Remove(name string) error {
	return m.do("remove", name, func() error {
		n, err := m.find(name)
		if err != nil {
			return err
		}
		if len(n.names) > 0 {
			return errNotEmpty
		}
		parent, base, err := m.place(name)
		if err == nil {
			delete(parent.names, base)
		}
		return err
	})
}

// Mkdir implements [FS].
func (m *Mem) Mkdir(name string) error {
	return m.do("mkdir", name, func() error {
		if _, err := m.find(name); err == nil {
			return fs.ErrExist
		}
		parent, base, err := m.place(name)
		if err == nil {
			parent.names[base] = newDir()
		}
		return err
	})
}

// ReadDir implements [FS].
func (m *Mem) ReadDir(name string) (names []string, err error) {
	err = m.do("readdir", name, func() error {
		n, err := m.find(name)
		if err == nil && !n.dir {
			err = errNotDir
		}
		if err == nil {
			names = slices.Sorted(maps.Keys(n.names))
		}
		return err
	})
	return names, err
}

// Stat implements [FS].
func (m *Mem) Stat(name string) (info Info, err error) {
	err = m.do("stat", name, func() error {
		n, err := m.find(name)
		if err == nil {
			info = Info{Size: int64(len(n.data)), Dir: n.dir}
		}
		return err
	})
	return info, err
}

// SyncDir implements [FS].
func (m *Mem) SyncDir(name string) error {
	return m.do("syncdir", name, func() error {
		n, err := m.find(name)
		if err == nil && !n.dir {
			err = errNotDir
		}
		if err == nil {
			n.keptNames = maps.Clone(n.names)
		}
		return err
	})
}

// Lock implements [FS].
func (m *Mem) Lock(name string) (io.Closer, error) {
	dir, base := split(name)
	l := &memLock{m: m, name: path.Join(dir, base)}
	err := m.do("lock", name, func() error {
		parent, base, err := m.place(name)
		if err != nil {
			return err
		}
		if m.locked[l.name] {
			return ErrLocked
		}
		if parent.names[base] == nil {
			parent.names[base] = &node{}
		}
		m.locked[l.name] = true
		return nil
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

type memLock struct {
	m    *Mem
	name string
}

// Close ends the lock.
func (l *memLock) Close() error {
	return l.m.do("unlock", l.name, func() error {
		if !l.m.locked[l.name] {
			return fs.ErrClosed
		}
		delete(l.m.locked, l.name)
		return nil
	})
}
