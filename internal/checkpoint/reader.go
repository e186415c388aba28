package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/rowan-embeddings/rowan/internal/vfs"
)

// reader compares a file with its manifest while it is read.
type reader struct {
	f    vfs.File
	c    *Checkpoint
	want File
	read int64
	crc  uint32
}

// Read implements [io.Reader].
func (r *reader) Read(b []byte) (int, error) {
	n, err := r.f.Read(b)
	r.read += int64(n)
	r.crc = crc32.Update(r.crc, castagnoli, b[:n])
	if err == io.EOF {
		return n, r.end()
	}
	if err != nil {
		return n, fmt.Errorf("checkpoint: %w", err)
	}
	return n, nil
}

func (r *reader) end() error {
	if r.read != r.want.Size {
		return r.c.damaged(r.want.Name, fmt.Errorf("it ended after %d bytes, the manifest says %d", r.read, r.want.Size))
	}
	if r.crc != r.want.CRC32C {
		return r.c.damaged(r.want.Name, fmt.Errorf("its CRC32C is %08x, the manifest says %08x", r.crc, r.want.CRC32C))
	}
	return io.EOF
}

// Close implements [io.Closer].
func (r *reader) Close() error { return r.f.Close() }

// Verify reads every file and returns the first error; ErrCorrupt names a file
// that was changed. It ends early with ctx.
func (c *Checkpoint) Verify(ctx context.Context) error {
	largest := int64(0)
	for _, f := range c.m.Files {
		largest = max(largest, f.Size)
	}
	buf := make([]byte, min(largest+1, 1<<18))
	for _, f := range c.m.Files {
		if err := c.verify(ctx, f, buf); err != nil {
			return err
		}
	}
	return nil
}

func (c *Checkpoint) verify(ctx context.Context, f File, buf []byte) error {
	r, err := c.openFile(f)
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := r.Read(buf); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}
