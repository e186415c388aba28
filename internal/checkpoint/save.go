package checkpoint

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/rowan-embeddings/rowan/internal/vfs"
)

// Save writes a checkpoint of a step, at least 0, with metadata that
// [json.Marshal] can encode. The files are what write creates; it returns when
// all are closed. When Save returns nil the checkpoint is on stable storage and
// is the latest. When it returns an error the checkpoints are those from
// before, with one exception: if the very last sync fails, the new one may be
// there, whole. When ctx ends, so does the save, with its error. One save or
// deletion at a time: vfs.ErrLocked says that another is under way.
func (s *Store) Save(ctx context.Context, step int64, meta any, write func(*Writer) error) error {
	if err := s.save(ctx, step, meta, write); err != nil {
		return fmt.Errorf("checkpoint of step %d was not saved: %w", step, err)
	}
	return nil
}

func (s *Store) save(ctx context.Context, step int64, meta any, write func(*Writer) error) error {
	if step < 0 {
		return fmt.Errorf("checkpoint: a step must be at least 0")
	}
	raw, err := json.Marshal(meta)
	if err != nil {
		return fmt.Errorf("checkpoint: metadata: %w", err)
	}
	if err := vfs.MkdirAll(s.fs, s.dir); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	lock, err := s.lock()
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := s.clear(); err != nil {
		return err
	}
	name, err := s.next()
	if err != nil {
		return err
	}
	w := &Writer{ctx: ctx, fs: s.fs, dir: name + unsure}
	m := manifest{Version: version, Step: step, Meta: raw}
	if err := w.fill(&m, write); err != nil {
		// What cannot be removed now is a leftover, which the next save clears.
		_ = vfs.RemoveDir(s.fs, w.dir)
		return err
	}
	return s.commit(name)
}

// next returns the path of the checkpoint to be saved, without unsure. Before
// the first it syncs the name of the directory itself, which may have been made
// by a process that was killed, or by a person.
func (s *Store) next() (string, error) {
	ns, _, err := s.numbers()
	if err != nil {
		return "", err
	}
	if len(ns) > 0 {
		return filepath.Join(s.dir, dirName(ns[len(ns)-1]+1)), nil
	}
	// Who may write in a directory may lack the right to open the one above.
	if err := s.fs.SyncDir(filepath.Dir(s.dir)); err != nil && !errors.Is(err, fs.ErrPermission) {
		return "", fmt.Errorf("checkpoint: %w", err)
	}
	return filepath.Join(s.dir, dirName(1)), nil
}

// commit makes the directory a checkpoint. If the rename fails nothing has
// changed but for a leftover.
func (s *Store) commit(name string) error {
	if err := s.fs.Rename(name+unsure, name); err != nil {
		_ = vfs.RemoveDir(s.fs, name+unsure)
		return fmt.Errorf("checkpoint: %w", err)
	}
	if err := s.fs.SyncDir(s.dir); err != nil {
		return fmt.Errorf("checkpoint: %s is complete, but may not outlast a power cut: %w", name, err)
	}
	return nil
}

// Writer makes the files of a checkpoint. Files may be written by several
// goroutines, each file by one at a time.
type Writer struct {
	ctx context.Context
	fs  vfs.FS
	dir string

	mu    sync.Mutex
	files []*file // in the order of Create
}

// fill makes the directory, its files and its manifest, all synced.
func (w *Writer) fill(m *manifest, write func(*Writer) error) (err error) {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	if err := w.fs.Mkdir(w.dir); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	defer w.abandon()
	if err := write(w); err != nil {
		return err
	}
	if m.Files, err = w.sums(); err != nil {
		return err
	}
	if err := w.manifest(m); err != nil {
		return err
	}
	if err := w.fs.SyncDir(w.dir); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return w.ctx.Err()
}

// sums returns size and CRC of each file, sorted by name.
func (w *Writer) sums() ([]File, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	files := []File{}
	for _, f := range w.files {
		if f.err != nil {
			return nil, f.err
		}
		if !f.closed {
			return nil, fmt.Errorf("checkpoint: file %q was not closed", f.sum.Name)
		}
		files = append(files, f.sum)
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return files, nil
}

// manifest writes and syncs the manifest.
func (w *Writer) manifest(m *manifest) error {
	b, err := m.encode()
	if err != nil {
		return err
	}
	f, err := w.fs.Create(filepath.Join(w.dir, manifestName))
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

// abandon closes the files that write left open, so that they can be removed.
func (w *Writer) abandon() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.files {
		if !f.closed {
			f.closed = true
			_ = f.f.Close() // the save has failed already, for a better reason
		}
	}
}

// Create makes a file of the checkpoint. Writes are buffered; Close flushes and
// syncs, and its error must be heeded. A name is up to 200 ASCII letters,
// digits, '-', '_', '%' and '.', not first; other names, and two that differ in
// case only, are ErrName.
func (w *Writer) Create(name string) (io.WriteCloser, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.files {
		if strings.EqualFold(f.sum.Name, name) {
			return nil, fmt.Errorf("%w: %q is there already, as %q", ErrName, name, f.sum.Name)
		}
	}
	under, err := w.fs.Create(filepath.Join(w.dir, name))
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	f := &file{w: w, f: under, buf: bufio.NewWriterSize(under, bufferSize), sum: File{Name: name}}
	w.files = append(w.files, f)
	return f, nil
}

// bufferSize joins the small writes of an encoder; larger ones pass it by.
const bufferSize = 32 << 10

// file is a file being written.
type file struct {
	w      *Writer
	f      vfs.File
	buf    *bufio.Writer
	sum    File
	closed bool
	err    error // the first
}

// Write implements [io.Writer].
func (f *file) Write(b []byte) (int, error) {
	if f.closed {
		return 0, fmt.Errorf("checkpoint: file %q is closed", f.sum.Name)
	}
	if f.err == nil {
		f.err = f.w.ctx.Err()
	}
	if f.err != nil {
		return 0, f.err
	}
	n, err := f.buf.Write(b)
	f.sum.Size += int64(n)
	f.sum.CRC32C = crc32.Update(f.sum.CRC32C, castagnoli, b[:n])
	f.fail(err)
	return n, f.err
}

func (f *file) fail(err error) {
	if f.err == nil && err != nil {
		f.err = fmt.Errorf("checkpoint: %w", err)
	}
}

// Close implements [io.Closer]: the bytes are on stable storage when it returns nil.
func (f *file) Close() error {
	if f.closed {
		return f.err
	}
	f.closed = true
	if f.err == nil {
		f.fail(f.buf.Flush())
	}
	if f.err == nil {
		f.fail(f.f.Sync())
	}
	f.fail(f.f.Close())
	return f.err
}
