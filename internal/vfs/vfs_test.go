package vfs

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// everywhere runs a test on each implementation, in an empty directory.
func everywhere(t *testing.T, test func(t *testing.T, f FS, dir string)) {
	t.Run("OS", func(t *testing.T) { test(t, OS{}, t.TempDir()) })
	t.Run("Mem", func(t *testing.T) { test(t, NewMem(), "") })
	t.Run("Failing", func(t *testing.T) {
		test(t, NewFailing(NewMem(), func(Op) error { return nil }), "/")
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// put writes a file and syncs its bytes.
func put(t *testing.T, f FS, name, text string) {
	t.Helper()
	w, err := f.Create(name)
	must(t, err)
	_, err = io.WriteString(w, text)
	must(t, err)
	must(t, w.Sync())
	must(t, w.Close())
}

func get(t *testing.T, f FS, name string) string {
	t.Helper()
	b, err := ReadFile(f, name, 1<<20)
	must(t, err)
	return string(b)
}

func TestFilesAreReadBack(t *testing.T) {
	everywhere(t, func(t *testing.T, f FS, dir string) {
		name := filepath.Join(dir, "a")
		put(t, f, name, "a longer text")
		put(t, f, name, "hello")
		if got := get(t, f, name); got != "hello" {
			t.Errorf("got %q, a second Create must empty the file", got)
		}
		r, err := f.Open(name)
		must(t, err)
		defer r.Close()
		b := make([]byte, 4)
		if n, err := r.ReadAt(b, 3); n != 2 || err != io.EOF || string(b[:n]) != "lo" {
			t.Errorf("ReadAt: %q, %v", b[:n], err)
		}
		if n, err := r.ReadAt(b, 99); n != 0 || err != io.EOF {
			t.Errorf("ReadAt behind the end: %d, %v", n, err)
		}
		if _, err := r.ReadAt(b, -1); err == nil || err == io.EOF {
			t.Errorf("ReadAt before the begin: %v", err)
		}
		if n, err := r.Read(b); n != 4 || err != nil {
			t.Errorf("Read after ReadAt: %q, %v", b[:n], err)
		}
		if n, err := r.Size(); n != 5 || err != nil {
			t.Errorf("Size: %d, %v", n, err)
		}
		if _, err := r.Write(b); err == nil {
			t.Error("a file opened for reading was written")
		}
	})
}

func TestClosedFilesRefuse(t *testing.T) {
	everywhere(t, func(t *testing.T, f FS, dir string) {
		w, err := f.Create(filepath.Join(dir, "a"))
		must(t, err)
		must(t, w.Close())
		_, err = w.Write([]byte("x"))
		for what, err := range map[string]error{"write": err, "sync": w.Sync(), "close": w.Close()} {
			if !errors.Is(err, fs.ErrClosed) {
				t.Errorf("%s: %v, want ErrClosed", what, err)
			}
		}
	})
}

func TestDirectories(t *testing.T) {
	everywhere(t, func(t *testing.T, f FS, dir string) {
		sub := filepath.Join(dir, "x", "y")
		must(t, MkdirAll(f, sub))
		must(t, MkdirAll(f, sub))
		put(t, f, filepath.Join(sub, "b"), "b")
		put(t, f, filepath.Join(sub, "a"), "a")
		names, err := f.ReadDir(sub)
		if must(t, err); !slices.Equal(names, []string{"a", "b"}) {
			t.Errorf("names %q", names)
		}
		if info, err := f.Stat(sub); err != nil || !info.Dir || info.Size != 0 {
			t.Errorf("directory: %+v, %v", info, err)
		}
		if info, err := f.Stat(filepath.Join(sub, "a")); err != nil || info.Dir || info.Size != 1 {
			t.Errorf("file: %+v, %v", info, err)
		}
		must(t, f.SyncDir(sub))
		if err := f.Remove(sub); err == nil {
			t.Error("a directory that holds files was removed")
		}
		must(t, RemoveDir(f, sub))
		must(t, RemoveDir(f, sub))
		if _, err := f.Stat(sub); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("after RemoveDir: %v", err)
		}
	})
}

func TestRemoveDirStaysFlat(t *testing.T) {
	everywhere(t, func(t *testing.T, f FS, dir string) {
		below := filepath.Join(dir, "x", "y")
		must(t, MkdirAll(f, below))
		put(t, f, filepath.Join(below, "a"), "a")
		if err := RemoveDir(f, filepath.Join(dir, "x")); err == nil {
			t.Error("a directory with directories was removed")
		}
		if got := get(t, f, filepath.Join(below, "a")); got != "a" {
			t.Errorf("the file below holds %q", got)
		}
	})
}

func TestRename(t *testing.T) {
	everywhere(t, func(t *testing.T, f FS, dir string) {
		a, b, d := filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "d")
		put(t, f, a, "new")
		put(t, f, b, "old")
		must(t, f.Rename(a, b))
		if got := get(t, f, b); got != "new" {
			t.Errorf("b holds %q", got)
		}
		if _, err := f.Stat(a); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a is still there: %v", err)
		}
		must(t, f.Mkdir(d))
		must(t, f.Rename(b, filepath.Join(d, "b")))
		must(t, f.Rename(d, filepath.Join(dir, "e")))
		if got := get(t, f, filepath.Join(dir, "e", "b")); got != "new" {
			t.Errorf("e/b holds %q", got)
		}
		must(t, f.Mkdir(d))
		if err := f.Rename(d, filepath.Join(dir, "e")); err == nil {
			t.Error("a directory that holds files was replaced")
		}
		if err := f.Rename(d, filepath.Join(d, "inside")); err == nil {
			t.Error("a directory was moved into itself")
		}
		if err := f.Rename(d, d); !errors.Is(err, fs.ErrExist) {
			t.Errorf("a directory onto itself: %v", err)
		}
		e := filepath.Join(dir, "e", "b")
		must(t, f.Rename(e, e))
		if got := get(t, f, e); got != "new" {
			t.Errorf("a file renamed to itself holds %q", got)
		}
	})
}

func TestErrorsNameThePath(t *testing.T) {
	everywhere(t, func(t *testing.T, f FS, dir string) {
		no, file := filepath.Join(dir, "no", "such"), filepath.Join(dir, "file")
		put(t, f, file, "x")
		_, create := f.Create(no)
		_, open := f.Open(no)
		_, stat := f.Stat(no)
		_, readdir := f.ReadDir(no)
		_, lock := f.Lock(no)
		for what, err := range map[string]error{
			"create": create, "open": open, "stat": stat, "readdir": readdir, "lock": lock,
			"rename": f.Rename(no, file), "remove": f.Remove(no), "mkdir": f.Mkdir(no),
		} {
			if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), no) {
				t.Errorf("%s: %v, want ErrNotExist and the path", what, err)
			}
		}
		if err := f.Mkdir(file); !errors.Is(err, fs.ErrExist) {
			t.Errorf("mkdir over a file: %v", err)
		}
		if err := MkdirAll(f, file); err == nil || !strings.Contains(err.Error(), "in the way") {
			t.Errorf("mkdirall over a file: %v", err)
		}
		if _, err := f.ReadDir(file); err == nil {
			t.Error("a file was listed")
		}
		if _, err := f.Create(filepath.Join(file, "below")); err == nil {
			t.Error("a file was made below a file")
		}
		must(t, f.Mkdir(filepath.Join(dir, "d")))
		if _, err := f.Create(filepath.Join(dir, "d")); err == nil {
			t.Error("a directory was opened for writing")
		}
		if _, err := ReadFile(f, filepath.Join(dir, "d"), 9); err == nil {
			t.Error("a directory was read")
		}
	})
}

func TestReadFileIsBounded(t *testing.T) {
	everywhere(t, func(t *testing.T, f FS, dir string) {
		name := filepath.Join(dir, "a")
		put(t, f, name, "12345")
		if _, err := ReadFile(f, name, 4); err == nil || !strings.Contains(err.Error(), "at most 4") {
			t.Errorf("got %v", err)
		}
		if b, err := ReadFile(f, name, 5); err != nil || len(b) != 5 {
			t.Errorf("got %q, %v", b, err)
		}
	})
}

func TestLock(t *testing.T) {
	everywhere(t, func(t *testing.T, f FS, dir string) {
		name := filepath.Join(dir, "LOCK")
		l, err := f.Lock(name)
		must(t, err)
		if _, err := f.Lock(name); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), name) {
			t.Errorf("second lock: %v", err)
		}
		must(t, l.Close())
		if err := l.Close(); err == nil {
			t.Error("a lock was ended twice")
		}
		l, err = f.Lock(name)
		must(t, err)
		must(t, l.Close())
	})
}

// TestLockEndsWithTheProcess takes the lock in a child and kills it.
func TestLockEndsWithTheProcess(t *testing.T) {
	if name := os.Getenv("ROWAN_TEST_LOCK"); name != "" {
		l, err := OS{}.Lock(name)
		must(t, err)
		// It never comes to that, but a file that nobody holds the collector closes.
		t.Cleanup(func() { _ = l.Close() })
		fmt.Println("locked")
		select {}
	}
	name := filepath.Join(t.TempDir(), "LOCK")
	child := exec.Command(os.Args[0], "-test.run=^TestLockEndsWithTheProcess$")
	child.Env = append(os.Environ(), "ROWAN_TEST_LOCK="+name)
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	if must(t, err); line != "locked\n" {
		t.Fatalf("the child says %q", line)
	}
	_, held := OS{}.Lock(name)
	must(t, child.Process.Kill())
	_ = child.Wait()
	if !errors.Is(held, ErrLocked) {
		t.Errorf("while the child lives: %v", held)
	}
	l, err := OS{}.Lock(name)
	must(t, err)
	must(t, l.Close())
}

func TestConcurrentUse(t *testing.T) {
	everywhere(t, func(t *testing.T, f FS, dir string) {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				name := filepath.Join(dir, string(rune('a'+i)))
				put(t, f, name, name)
				if got := get(t, f, name); got != name {
					t.Errorf("%q holds %q", name, got)
				}
				_ = f.SyncDir(dir)
			})
		}
		wg.Wait()
	})
}

func TestReadOnlyDirectory(t *testing.T) {
	if os.Getuid() == 0 || runtime.GOOS == "windows" {
		return // root and Windows write there all the same; Failing stages it elsewhere
	}
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o500))
	if _, err := (OS{}).Create(filepath.Join(dir, "a")); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v", err)
	}
}
