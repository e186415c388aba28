package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"

	"github.com/rowan-embeddings/rowan/internal/vfs"
)

const (
	manifestName = "manifest.json"
	// version is the version of the manifests that are written, and the only one read.
	version = 1
	// maxManifest bounds what a manifest may cost to read. A config and a
	// position in the data are some kilobytes.
	maxManifest = 64 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// manifest is what manifest.json holds. Its form is fixed: the fields in this
// order, indented by two spaces, files by name, and a line feed at the end.
type manifest struct {
	Version int             `json:"version"`
	Step    int64           `json:"step"`
	Files   []File          `json:"files"`
	Meta    json.RawMessage `json:"meta"`
	// CRC32C is that of the manifest with a zero in its place.
	CRC32C uint32 `json:"crc32c"`
}

// encode sets m.CRC32C and returns the bytes of the manifest.
func (m *manifest) encode() ([]byte, error) {
	m.CRC32C = 0
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("checkpoint: metadata: %w", err)
	}
	m.CRC32C = crc32.Checksum(append(b, '\n'), castagnoli)
	b, err = json.MarshalIndent(m, "", "  ")
	return append(b, '\n'), err
}

// decode is the inverse of encode. Bytes that encode would not give are an error.
func (m *manifest) decode(b []byte) error {
	var v struct{ Version int }
	if err := json.Unmarshal(b, &v); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if v.Version != version {
		return fmt.Errorf("%w: the manifest is of version %d, this Rowan reads %d", ErrVersion, v.Version, version)
	}
	if err := json.Unmarshal(b, m); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	said := m.CRC32C
	again, err := m.encode()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if !bytes.Equal(again, b) {
		return fmt.Errorf("%w: the manifest was changed after it was written: it says CRC32C %d, and its contents give %d", ErrCorrupt, said, m.CRC32C)
	}
	return m.check()
}

// check finds what a sound manifest cannot say.
func (m *manifest) check() error {
	if m.Step < 0 {
		return fmt.Errorf("%w: step %d", ErrCorrupt, m.Step)
	}
	for i, f := range m.Files {
		if err := checkName(f.Name); err != nil {
			return fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		if f.Size < 0 || i > 0 && m.Files[i-1].Name >= f.Name {
			return fmt.Errorf("%w: file %q has size %d, or is out of order", ErrCorrupt, f.Name, f.Size)
		}
	}
	return nil
}

func (c *Checkpoint) readManifest() error {
	name := c.path(manifestName)
	b, err := vfs.ReadFile(c.fs, name, maxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		return c.damaged(manifestName, err)
	}
	if err != nil {
		return fmt.Errorf("checkpoint: the manifest cannot be read: %w", err)
	}
	if err := c.m.decode(b); err != nil {
		return fmt.Errorf("%w (in %s)", err, name)
	}
	return nil
}
