// Package checkpoint keeps a directory of checkpoints: sets of files that are
// there whole or not at all, whenever the process or the machine stops.
//
//	dir/
//	  LOCK                   held while a checkpoint is written or deleted
//	  ckpt-00000011/         number 11
//	    user.table           files, as the caller wrote them
//	    dense.arrays
//	    manifest.json        step, metadata; size and CRC32C of each file
//	  ckpt-00000012.tmp/     one being written or deleted; a leftover if nobody is
//
// A save, with what a crash leaves after each line:
//
//	ckpt-N.tmp/ is made, its files written and synced      the checkpoints before
//	manifest.json is written and synced, and the directory  the checkpoints before
//	ckpt-N.tmp is renamed to ckpt-N                        either
//	the directory dir is synced                            N too
//
// A deletion goes the other way: ckpt-N is renamed to ckpt-N.tmp, dir is synced,
// and only then are the files removed. So a directory whose name lacks ".tmp" is
// complete, and one that has it can be removed by whoever holds the lock.
//
// Numbers count saves and are never reused while a later checkpoint is there:
// the newest checkpoint is the one saved last, whatever its step. Nothing of
// number, time or machine is in the files, so that two runs that compute the
// same write the same bytes.
package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/rowan-embeddings/rowan/internal/vfs"
)

// Errors that a directory of checkpoints is reported with; match with errors.Is.
var (
	// ErrNone: there is no checkpoint, or none of the step asked for.
	ErrNone = errors.New("checkpoint: no checkpoint")
	// ErrCorrupt: a checkpoint's bytes are not those that were saved.
	ErrCorrupt = errors.New("checkpoint: corrupt")
	// ErrVersion: a checkpoint was written by a version of Rowan that this one cannot read.
	ErrVersion = errors.New("checkpoint: unknown version")
	// ErrName: a file of a checkpoint cannot have this name.
	ErrName = errors.New("checkpoint: bad file name")
)

// Checkpoint is one complete checkpoint. It stays readable until it is pruned,
// is immutable, and is safe for concurrent use.
type Checkpoint struct {
	fs     vfs.FS
	dir    string
	number int64
	m      manifest
}

// File is a file of a checkpoint.
type File struct {
	// Name is the name that the file was created with.
	Name string `json:"name"`
	// Size is its length in bytes.
	Size int64 `json:"size"`
	// CRC32C is the Castagnoli checksum of its bytes.
	CRC32C uint32 `json:"crc32c"`
}

// open reads the manifest of checkpoint n and compares the sizes of its files.
func open(fsys vfs.FS, dir string, n int64) (*Checkpoint, error) {
	c := &Checkpoint{fs: fsys, dir: filepath.Join(dir, dirName(n)), number: n}
	if err := c.readManifest(); err != nil {
		return nil, err
	}
	for _, f := range c.m.Files {
		if err := c.checkSize(f); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *Checkpoint) checkSize(f File) error {
	info, err := c.fs.Stat(c.path(f.Name))
	if err != nil {
		return c.damaged(f.Name, fmt.Errorf("the manifest lists it with %d bytes: %w", f.Size, err))
	}
	if info.Dir || info.Size != f.Size {
		return c.damaged(f.Name, fmt.Errorf("it has %d bytes, the manifest says %d", info.Size, f.Size))
	}
	return nil
}

func (c *Checkpoint) path(name string) string { return filepath.Join(c.dir, name) }

func (c *Checkpoint) damaged(name string, err error) error {
	return fmt.Errorf("%w: %s: %w (take another checkpoint, and delete this directory)", ErrCorrupt, c.path(name), err)
}

// Number returns the number of the checkpoint: later saves have higher ones.
func (c *Checkpoint) Number() int64 { return c.number }

// Step returns the step that the checkpoint was saved at.
func (c *Checkpoint) Step() int64 { return c.m.Step }

// Dir returns the path of the checkpoint's directory.
func (c *Checkpoint) Dir() string { return c.dir }

// Files returns the files sorted by name. The caller must not change the slice.
func (c *Checkpoint) Files() []File { return c.m.Files }

// Meta decodes the metadata that was saved into what the pointer points to, as
// [json.Unmarshal] does.
func (c *Checkpoint) Meta(into any) error {
	if err := json.Unmarshal(c.m.Meta, into); err != nil {
		return fmt.Errorf("checkpoint: metadata in %s: %w", c.path(manifestName), err)
	}
	return nil
}

// Open opens a file for reading. Its size is compared with the manifest at
// once, and its CRC when it has been read to the end: a file that was damaged
// gives ErrCorrupt in place of io.EOF.
func (c *Checkpoint) Open(name string) (io.ReadCloser, error) {
	for _, f := range c.m.Files {
		if f.Name == name {
			return c.openFile(f)
		}
	}
	return nil, fmt.Errorf("checkpoint: %s has no file %q", c.dir, name)
}

func (c *Checkpoint) openFile(f File) (io.ReadCloser, error) {
	if err := c.checkSize(f); err != nil {
		return nil, err
	}
	r, err := c.fs.Open(c.path(f.Name))
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	return &reader{f: r, want: f, c: c}, nil
}
