package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/rowan-embeddings/rowan/internal/vfs"
)

// Store is a directory of checkpoints. It holds nothing but the directory's
// name: any number of Stores, in any number of processes, may read a directory
// while one of them saves. Methods are safe for concurrent use.
type Store struct {
	fs  vfs.FS
	dir string
}

// Open names a directory of checkpoints, which need not be there yet: the first
// Save makes it. Nothing is written, so that a directory can be read that may
// not be written, or that another process is saving to; leftovers of
// interrupted saves are cleared by the next Save or Prune. A file in the
// directory's place is an error.
func Open(fsys vfs.FS, dir string) (*Store, error) {
	info, err := fsys.Stat(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	if err == nil && !info.Dir {
		return nil, fmt.Errorf("checkpoint: %s is a file, expected a directory of checkpoints", dir)
	}
	return &Store{fs: fsys, dir: dir}, nil
}

// Dir returns the directory's name.
func (s *Store) Dir() string { return s.dir }

// numbers returns the numbers of the complete checkpoints, rising, and the
// names of leftovers. A directory that is not there has neither.
func (s *Store) numbers() (complete []int64, leftovers []string, err error) {
	names, err := s.fs.ReadDir(s.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("checkpoint: %w", err)
	}
	for _, name := range names {
		n, whole, ok := parseDir(name)
		switch {
		case ok && whole:
			complete = append(complete, n)
		case ok:
			leftovers = append(leftovers, name)
		}
	}
	slices.Sort(complete)
	return complete, leftovers, nil
}

// Latest returns the checkpoint saved last, after comparing the sizes of its
// files. Without one the error is ErrNone. A damaged one is an error and not
// passed over: [Store.List] and [Store.At] find an earlier one.
func (s *Store) Latest() (*Checkpoint, error) {
	for {
		ns, _, err := s.numbers()
		if err != nil {
			return nil, err
		}
		if len(ns) == 0 {
			return nil, fmt.Errorf("%w in %s", ErrNone, s.dir)
		}
		n := ns[len(ns)-1]
		if c, err := open(s.fs, s.dir, n); err == nil || !s.gone(n) {
			return c, err
		}
	}
}

// gone says that a checkpoint was pruned after its number was read.
func (s *Store) gone(n int64) bool {
	_, err := s.fs.Stat(filepath.Join(s.dir, dirName(n)))
	return errors.Is(err, fs.ErrNotExist)
}

// List returns the checkpoints in the order they were saved. With those that
// are sound it returns an error that names those that are not.
func (s *Store) List() ([]*Checkpoint, error) {
	ns, _, err := s.numbers()
	if err != nil {
		return nil, err
	}
	var list []*Checkpoint
	var damaged []error
	for _, n := range ns {
		switch c, err := open(s.fs, s.dir, n); {
		case err == nil:
			list = append(list, c)
		case !s.gone(n):
			damaged = append(damaged, err)
		}
	}
	return list, errors.Join(damaged...)
}

// At returns the checkpoint of a step, the latest if it was saved more than
// once. Without one the error is ErrNone, and says which steps there are.
func (s *Store) At(step int64) (*Checkpoint, error) {
	list, damaged := s.List()
	steps := make([]int64, len(list))
	for i, c := range slices.Backward(list) {
		if c.Step() == step {
			return c, nil
		}
		steps[i] = c.Step()
	}
	if damaged != nil {
		return nil, damaged
	}
	return nil, fmt.Errorf("%w of step %d in %s, which has those of steps %v", ErrNone, step, s.dir, steps)
}

// Prune deletes all checkpoints but the newest keep, at least 1. Damaged ones
// do not count, and are left for a person to look at. It clears leftovers, and
// waits for nobody: vfs.ErrLocked says that a save is under way.
func (s *Store) Prune(keep int) error {
	if keep < 1 {
		return fmt.Errorf("checkpoint: cannot keep %d checkpoints, at least 1", keep)
	}
	if ns, leftovers, err := s.numbers(); err != nil || len(ns) <= keep && len(leftovers) == 0 {
		return err
	}
	lock, err := s.lock()
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := s.clear(); err != nil {
		return err
	}
	list, _ := s.List()
	for i := range len(list) - keep {
		if err := s.remove(list[i].number); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) lock() (io.Closer, error) {
	lock, err := s.fs.Lock(filepath.Join(s.dir, lockName))
	if err != nil {
		return nil, fmt.Errorf("checkpoint: cannot write in %s: %w", s.dir, err)
	}
	return lock, nil
}

// clear removes what interrupted saves and deletions left. The caller holds the
// lock. The names are synced first, as in remove: a process killed there renamed
// a checkpoint and did not come to sync that.
func (s *Store) clear() error {
	_, leftovers, err := s.numbers()
	if err != nil || len(leftovers) == 0 {
		return err
	}
	if err := s.fs.SyncDir(s.dir); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	for _, name := range leftovers {
		if err := vfs.RemoveDir(s.fs, filepath.Join(s.dir, name)); err != nil {
			return fmt.Errorf("checkpoint: leftover of an interrupted save: %w", err)
		}
	}
	return nil
}

// remove deletes checkpoint n. The new name is synced before any file goes:
// else a crash could leave the old name with files missing.
func (s *Store) remove(n int64) error {
	name := filepath.Join(s.dir, dirName(n))
	err := s.fs.Rename(name, name+unsure)
	if err == nil {
		err = s.fs.SyncDir(s.dir)
	}
	if err == nil {
		err = vfs.RemoveDir(s.fs, name+unsure)
	}
	if err != nil {
		return fmt.Errorf("checkpoint: delete: %w", err)
	}
	return nil
}
