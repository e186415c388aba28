package checkpoint

import (
	"context"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/rowan-embeddings/rowan/internal/vfs"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(w *Writer, name, text string) error {
	f, err := w.Create(name)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, text)
	return errors.Join(err, f.Close())
}

// one is a store with one checkpoint of two files.
func one(t testing.TB, f vfs.FS, dir string) *Store {
	t.Helper()
	s, err := Open(f, dir)
	must(t, err)
	must(t, s.Save(context.Background(), 7, map[string]any{"b": 1.5, "a": "<x>"}, func(w *Writer) error {
		return errors.Join(write(w, "user.table", "some rows"), write(w, "dense", ""))
	}))
	return s
}

// TestManifest pins the bytes: docs/format.md shows them.
func TestManifest(t *testing.T) {
	disk := vfs.NewMem()
	c, err := one(t, disk, "d").Latest()
	must(t, err)
	got, err := vfs.ReadFile(disk, filepath.Join(c.Dir(), "manifest.json"), 1<<20)
	must(t, err)
	doc, err := os.ReadFile("../../docs/format.md")
	must(t, err)
	if !strings.Contains(strings.ReplaceAll(string(doc), "\r\n", "\n"), "```json\n"+string(got)+"```") {
		t.Errorf("docs/format.md does not show this manifest:\n%s", got)
	}
	if c.Dir() != filepath.Join("d", "ckpt-00000001") || c.Number() != 1 || c.Step() != 7 {
		t.Errorf("%s, number %d, step %d", c.Dir(), c.Number(), c.Step())
	}
	want := []File{{"dense", 0, 0}, {"user.table", 9, crc32.Checksum([]byte("some rows"), castagnoli)}}
	if !slices.Equal(c.Files(), want) {
		t.Errorf("files %+v", c.Files())
	}
	var meta struct{ A string }
	if must(t, c.Meta(&meta)); meta.A != "<x>" {
		t.Errorf("metadata %+v", meta)
	}
	if err := c.Meta(new(int)); err == nil || !strings.Contains(err.Error(), "manifest.json") {
		t.Errorf("metadata into another type: %v", err)
	}
}

// TestEqualContentsGiveEqualBytes saves the same after different histories.
func TestEqualContentsGiveEqualBytes(t *testing.T) {
	a, b := vfs.NewMem(), vfs.NewMem()
	one(t, a, "x")
	last := one(t, b, "y")
	must(t, last.Save(context.Background(), 7, struct {
		A string  `json:"a"`
		B float64 `json:"b"`
	}{"<x>", 1.5}, func(w *Writer) error { // the files in another order
		return errors.Join(write(w, "dense", ""), write(w, "user.table", "some rows"))
	}))
	for _, name := range []string{"manifest.json", "user.table", "dense"} {
		x, err := vfs.ReadFile(a, filepath.Join("x", "ckpt-00000001", name), 1<<20)
		must(t, err)
		y, err := vfs.ReadFile(b, filepath.Join("y", "ckpt-00000002", name), 1<<20)
		must(t, err)
		if string(x) != string(y) {
			t.Errorf("%s:\n%s\n%s", name, x, y)
		}
	}
}

func TestEmptyDirectories(t *testing.T) {
	for name, f := range map[string]vfs.FS{"Mem": vfs.NewMem(), "OS": vfs.OS{}} {
		dir := filepath.Join(t.TempDir(), "no", "such")
		s, err := Open(f, dir)
		must(t, err)
		if _, err := s.Latest(); !errors.Is(err, ErrNone) || !strings.HasSuffix(err.Error(), "no checkpoint in "+dir) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := s.At(3); !errors.Is(err, ErrNone) {
			t.Errorf("%s: At: %v", name, err)
		}
		if list, err := s.List(); len(list) > 0 || err != nil {
			t.Errorf("%s: %v, %v", name, list, err)
		}
		must(t, s.Prune(1))
		if _, err := f.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: reading made the directory: %v", name, err)
		}
		one(t, f, dir)
	}
}

func TestFileInTheWay(t *testing.T) {
	m := vfs.NewMem()
	f, err := m.Create("d")
	must(t, errors.Join(err, f.Close()))
	if _, err := Open(m, "d"); err == nil || !strings.Contains(err.Error(), "d is a file") {
		t.Errorf("got %v", err)
	}
	if _, err := Open(vfs.NewFailing(m, vfs.FailAt(1, syscall.EIO)), "d"); !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v", err)
	}
}

func TestAtAndPrune(t *testing.T) {
	s, err := Open(vfs.OS{}, t.TempDir())
	must(t, err)
	for i, step := range []int64{10, 20, 30, 20} {
		must(t, s.Save(context.Background(), step, i, func(w *Writer) error { return nil }))
	}
	steps := func() (steps []int64) {
		list, err := s.List()
		must(t, err)
		for _, c := range list {
			steps = append(steps, c.Step())
		}
		return steps
	}
	latest, err := s.Latest()
	if must(t, err); latest.Step() != 20 || latest.Number() != 4 {
		t.Errorf("the latest is number %d of step %d, want the one saved last", latest.Number(), latest.Step())
	}
	at, err := s.At(20)
	if must(t, err); at.Number() != 4 {
		t.Errorf("At(20) is number %d, want the later", at.Number())
	}
	if _, err := s.At(15); !errors.Is(err, ErrNone) || !strings.Contains(err.Error(), "of step 15 in ") || !strings.Contains(err.Error(), "[10 20 30 20]") {
		t.Errorf("At(15): %v", err)
	}
	if err := s.Prune(0); err == nil {
		t.Error("Prune(0) kept nothing")
	}
	must(t, s.Prune(9))
	if got := steps(); !slices.Equal(got, []int64{10, 20, 30, 20}) {
		t.Errorf("after Prune(9): %v", got)
	}
	must(t, s.Prune(2))
	if got := steps(); !slices.Equal(got, []int64{30, 20}) {
		t.Errorf("after Prune(2): %v", got)
	}
	must(t, s.Save(context.Background(), 40, nil, func(w *Writer) error { return nil }))
	if c, err := s.Latest(); err != nil || c.Number() != 5 {
		t.Errorf("number %d after pruning, %v", c.Number(), err)
	}
}

// TestForeignNames leaves alone what it did not make.
func TestForeignNames(t *testing.T) {
	m := vfs.NewMem()
	s := one(t, m, "d")
	foreign := []string{"ckpt-1", "ckpt-1.tmp", "ckpt-00000001.tmp2", "ckpt-+0000001", "ckpt-0000000a.tmp", "ckpt--0000001", "notes", "ckpt-000000001"}
	for _, name := range foreign {
		must(t, m.Mkdir(filepath.Join("d", name)))
	}
	must(t, m.Mkdir("d/ckpt-00000009.tmp"))
	must(t, s.Prune(1))
	if list, err := s.List(); len(list) != 1 || err != nil {
		t.Errorf("%d checkpoints, %v", len(list), err)
	}
	names, err := m.ReadDir("d")
	must(t, err)
	want := append(slices.Clone(foreign), "LOCK", "ckpt-00000001")
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("there are\n%q, want\n%q", names, want)
	}
}

func TestLargeNumbers(t *testing.T) {
	m := vfs.NewMem()
	s := one(t, m, "d")
	must(t, m.Rename("d/ckpt-00000001", "d/ckpt-99999999"))
	must(t, s.Save(context.Background(), 8, nil, func(*Writer) error { return nil }))
	if c, err := s.Latest(); err != nil || c.Number() != 100_000_000 || c.Step() != 8 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestSavesThatFail(t *testing.T) {
	boom := errors.New("boom")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	tests := map[string]struct {
		step  int64
		meta  any
		write func(w *Writer) error
		is    error
		says  string
	}{
		"own error":   {0, nil, func(*Writer) error { return boom }, boom, "step 0 was not saved"},
		"not closed":  {1, nil, func(w *Writer) error { _, err := w.Create("a"); return err }, nil, `"a" was not closed`},
		"bad meta":    {1, math.NaN(), func(*Writer) error { return nil }, nil, "metadata"},
		"bad step":    {-1, nil, func(*Writer) error { return nil }, nil, "at least 0"},
		"same name":   {1, nil, func(w *Writer) error { return errors.Join(write(w, "a", ""), write(w, "A", "")) }, ErrName, `"A" is there already, as "a"`},
		"write after": {1, nil, writeAfterClose, nil, `"a" is closed`},
		"cancelled": {1, nil, func(w *Writer) error {
			f, err := w.Create("a")
			must(t, err)
			cancel()
			_, err = f.Write([]byte("x"))
			return err
		}, context.Canceled, "not saved"},
	}
	for _, name := range []string{"own error", "not closed", "bad meta", "bad step", "same name", "write after", "cancelled"} {
		test := tests[name]
		m := vfs.NewMem()
		s := one(t, m, "d")
		err := s.Save(ctx, test.step, test.meta, test.write)
		if err == nil || test.is != nil && !errors.Is(err, test.is) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", name, err)
		}
		names, err := m.ReadDir("d")
		if must(t, err); !slices.Equal(names, []string{"LOCK", "ckpt-00000001"}) {
			t.Errorf("%s: there are %q", name, names)
		}
	}
	m := vfs.NewMem()
	s, err := Open(m, "d")
	must(t, err)
	if err := s.Save(ctx, 1, nil, func(*Writer) error { t.Error("called"); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: %v", err)
	}
}

func writeAfterClose(w *Writer) error {
	f, err := w.Create("a")
	if err != nil {
		return err
	}
	if err := errors.Join(f.Close(), f.Close()); err != nil {
		return err
	}
	_, err = f.Write([]byte("x"))
	return err
}

func TestFileNames(t *testing.T) {
	m := vfs.NewMem()
	s, err := Open(m, "d")
	must(t, err)
	must(t, s.Save(context.Background(), 1, nil, func(w *Writer) error {
		for _, bad := range []string{"", ".", "..", ".a", "a/b", `a\b`, "a b", "é", "a:b", "manifest.json", "MANIFEST.json", strings.Repeat("a", 201)} {
			if _, err := w.Create(bad); !errors.Is(err, ErrName) {
				t.Errorf("%q: %v", bad, err)
			}
		}
		return errors.Join(write(w, "A-z_0.9%20", ""), write(w, strings.Repeat("a", 200), ""))
	}))
	c, err := s.Latest()
	must(t, err)
	for _, name := range []string{"no", "manifest.json", "../../secret"} {
		if _, err := c.Open(name); err == nil || !strings.Contains(err.Error(), "has no file") {
			t.Errorf("Open(%q): %v", name, err)
		}
	}
}

// TestParallelFiles writes the files of one checkpoint at once.
func TestParallelFiles(t *testing.T) {
	s, err := Open(vfs.OS{}, t.TempDir())
	must(t, err)
	text := strings.Repeat("0123456789", 20_000)
	must(t, s.Save(context.Background(), 1, nil, func(w *Writer) error {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				if err := write(w, string(rune('a'+i)), text); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		return nil
	}))
	c, err := s.Latest()
	must(t, err)
	must(t, c.Verify(context.Background()))
	if len(c.Files()) != 8 || c.Files()[7].Size != int64(len(text)) {
		t.Errorf("files %+v", c.Files())
	}
}

// TestReadersWhileSaving reads while another goroutine saves and prunes.
func TestReadersWhileSaving(t *testing.T) {
	dir := t.TempDir()
	s := one(t, vfs.OS{}, dir)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 20 {
			if err := errors.Join(saveNth(s, i), s.Prune(1)); err != nil {
				t.Error(err)
			}
		}
	}()
	for reads := 0; ; reads++ {
		select {
		case <-done:
			return
		default:
		}
		if _, err := s.Latest(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("after %d reads: %v", reads, err)
		}
	}
}

func TestReadOnlyDirectory(t *testing.T) {
	m := vfs.NewMem()
	one(t, m, "d")
	changes := []string{"create", "mkdir", "rename", "remove", "lock", "write"}
	f := vfs.NewFailing(m, func(op vfs.Op) error {
		if slices.Contains(changes, op.Kind) {
			return &fs.PathError{Op: op.Kind, Path: op.Name, Err: fs.ErrPermission}
		}
		return nil
	})
	readOnly(t, f, "d")
	if os.Getuid() == 0 || runtime.GOOS == "windows" {
		return // these write in any directory
	}
	dir := t.TempDir()
	one(t, vfs.OS{}, dir)
	must(t, os.Remove(filepath.Join(dir, "LOCK")))
	must(t, os.Chmod(dir, 0o500))
	readOnly(t, vfs.OS{}, dir)
	must(t, os.Chmod(dir, 0o700))
}

// readOnly reads a directory that cannot be written, and fails to write it.
func readOnly(t *testing.T, f vfs.FS, dir string) {
	s, err := Open(f, dir)
	must(t, err)
	c, err := s.Latest()
	must(t, err)
	must(t, c.Verify(context.Background()))
	must(t, s.Prune(1))
	err = s.Save(context.Background(), 8, nil, func(*Writer) error { return nil })
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "cannot write in "+dir) {
		t.Errorf("got %v", err)
	}
}

// TestDamage changes each file of a checkpoint on a real disk.
func TestDamage(t *testing.T) {
	latest := func(s *Store) error { _, err := s.Latest(); return err }
	verify := func(s *Store) error {
		c, err := s.Latest()
		if err != nil {
			t.Errorf("sizes agree, and still: %v", err)
			return err
		}
		return c.Verify(context.Background())
	}
	tests := map[string]struct {
		file   string
		change func(b []byte) []byte // nil: the file is removed
		find   func(*Store) error
		is     error
		says   string
	}{
		"bit flipped":      {"user.table", func(b []byte) []byte { b[3] ^= 4; return b }, verify, ErrCorrupt, "its CRC32C is"},
		"truncated":        {"user.table", func(b []byte) []byte { return b[:8] }, latest, ErrCorrupt, "it has 8 bytes, the manifest says 9"},
		"longer":           {"dense", func(b []byte) []byte { return append(b, 0) }, latest, ErrCorrupt, "it has 1 bytes, the manifest says 0"},
		"missing":          {"user.table", nil, latest, ErrCorrupt, "the manifest lists it with 9 bytes"},
		"no manifest":      {"manifest.json", nil, latest, ErrCorrupt, "manifest.json"},
		"empty manifest":   {"manifest.json", func(b []byte) []byte { return nil }, latest, ErrCorrupt, "manifest.json"},
		"half a manifest":  {"manifest.json", func(b []byte) []byte { return b[:len(b)/2] }, latest, ErrCorrupt, "manifest.json"},
		"newer manifest":   {"manifest.json", func(b []byte) []byte { return []byte(strings.Replace(string(b), `"version": 1`, `"version": 2`, 1)) }, latest, ErrVersion, "version 2, this Rowan reads 1"},
		"edited manifest":  {"manifest.json", func(b []byte) []byte { return []byte(strings.Replace(string(b), "1.5", "2.5", 1)) }, latest, ErrCorrupt, "was changed after it was written"},
		"manifest as list": {"manifest.json", func(b []byte) []byte { return []byte("[]") }, latest, ErrCorrupt, "manifest.json"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := one(t, vfs.OS{}, t.TempDir())
			c, err := s.Latest()
			must(t, err)
			file := filepath.Join(c.Dir(), test.file)
			b, err := os.ReadFile(file)
			must(t, err)
			if test.change == nil {
				must(t, os.Remove(file))
			} else {
				must(t, os.WriteFile(file, test.change(b), 0o600))
			}
			err = test.find(s)
			if !errors.Is(err, test.is) || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), file) {
				t.Errorf("got %v, want %v with %q and the path", err, test.is, test.says)
			}
			must(t, s.Save(context.Background(), 9, nil, func(*Writer) error { return nil }))
			if c, err := s.Latest(); err != nil || c.Number() != 2 {
				t.Errorf("a save after the damage: %v", err)
			}
			if list, err := s.List(); test.is == ErrVersion && (len(list) != 1 || !errors.Is(err, ErrVersion)) {
				t.Errorf("List: %d, %v", len(list), err)
			}
		})
	}
}

// TestEveryFlippedBitIsFound flips each bit of each file, the manifest's too.
func TestEveryFlippedBitIsFound(t *testing.T) {
	m := vfs.NewMem()
	s := one(t, m, "d")
	for _, name := range []string{"manifest.json", "user.table"} {
		path := filepath.Join("d", "ckpt-00000001", name)
		good, err := vfs.ReadFile(m, path, 1<<20)
		must(t, err)
		put := func(b []byte) {
			f, err := m.Create(path)
			must(t, err)
			_, err = f.Write(b)
			must(t, errors.Join(err, f.Close()))
		}
		for i := range 8 * len(good) {
			bad := slices.Clone(good)
			bad[i/8] ^= 1 << (i % 8)
			put(bad)
			c, err := s.Latest()
			if err == nil {
				err = c.Verify(context.Background())
			}
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
				t.Errorf("%s: bit %d of byte %d: %v", name, i%8, i/8, err)
			}
		}
		put(good)
	}
	c, err := s.Latest()
	must(t, err)
	must(t, c.Verify(context.Background()))
}

// TestDamageWhileOpen truncates a file after its size was compared.
func TestDamageWhileOpen(t *testing.T) {
	m := vfs.NewMem()
	c, err := one(t, m, "d").Latest()
	must(t, err)
	r, err := c.Open("user.table")
	must(t, err)
	f, err := m.Create("d/ckpt-00000001/user.table")
	must(t, errors.Join(err, f.Close()))
	if b, err := io.ReadAll(r); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "ended after 0 bytes") {
		t.Errorf("%q, %v", b, err)
	}
	must(t, r.Close())
}

func TestVerifyEndsWithContext(t *testing.T) {
	c, err := one(t, vfs.NewMem(), "d").Latest()
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := c.Verify(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestManifestsThatCannotBe(t *testing.T) {
	for want, m := range map[string]manifest{
		"step -1":      {Step: -1},
		"size -1":      {Files: []File{{"a", -1, 0}}},
		"out of order": {Files: []File{{"b", 0, 0}, {"a", 0, 0}}},
		"bad file":     {Files: []File{{"../a", 0, 0}}},
	} {
		m.Version, m.Meta = version, json.RawMessage("null")
		b, err := m.encode()
		must(t, err)
		if err := new(manifest).decode(b); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want ErrCorrupt with %q", err, want)
		}
	}
}

func FuzzManifest(f *testing.F) {
	m := manifest{Version: version, Step: 3, Files: []File{{"a", 1, 2}}, Meta: json.RawMessage(`{"x":[1,"é"]}`)}
	b, err := m.encode()
	must(f, err)
	f.Add(b)
	f.Add([]byte(`{"version":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var m manifest
		if err := m.decode(b); err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
				t.Errorf("an error without a name: %v", err)
			}
			return
		}
		again, err := m.encode()
		if err != nil || string(again) != string(b) {
			t.Errorf("%q encodes to %q, %v", b, again, err)
		}
	})
}
