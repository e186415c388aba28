package checkpoint

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rowan-embeddings/rowan/internal/vfs"
)

const crashDir = "runs/one"

// contents of the files of the i-th checkpoint.
func contents(i int) map[string]string {
	return map[string]string{
		"a.table":      strings.Repeat(fmt.Sprintf("row of %d;", i), 10),
		"dense.arrays": fmt.Sprint("dense ", i),
	}
}

// saveNth saves the i-th checkpoint, with two writes a file.
func saveNth(s *Store, i int) error {
	return s.Save(context.Background(), int64(10*i), i, func(w *Writer) error {
		for _, name := range []string{"dense.arrays", "a.table"} {
			f, err := w.Create(name)
			if err != nil {
				return err
			}
			text := contents(i)[name]
			_, e1 := io.WriteString(f, text[:4])
			_, e2 := io.WriteString(f, text[4:])
			if err := errors.Join(e1, e2, f.Close()); err != nil {
				return err
			}
		}
		return nil
	})
}

// train saves four checkpoints and keeps two, until an operation fails. It
// returns the last one whose Save said that it was kept.
func train(f vfs.FS) (done int, err error) {
	s, err := Open(f, crashDir)
	for i := 1; i <= 4 && err == nil; i++ {
		if err = saveNth(s, i); err == nil {
			done = i
			err = s.Prune(2)
		}
	}
	return done, err
}

// sound checks everything that must hold of a directory in which done
// checkpoints were saved, and the next may have been.
func sound(f vfs.FS, done int) error {
	s, err := Open(f, crashDir)
	if err != nil {
		return err
	}
	list, err := s.List()
	if err != nil {
		return err
	}
	if len(list) < min(done, 2) {
		return fmt.Errorf("%d checkpoints are left of %d", len(list), done)
	}
	for _, c := range list {
		if err := whole(c); err != nil {
			return err
		}
	}
	latest, err := s.Latest()
	if done == 0 && errors.Is(err, ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	if got := int(latest.Step() / 10); got != done && got != done+1 {
		return fmt.Errorf("checkpoint %d is the latest, after %d was saved", got, done)
	}
	return nil
}

// whole compares a checkpoint with what was saved.
func whole(c *Checkpoint) error {
	var i int
	if err := errors.Join(c.Verify(context.Background()), c.Meta(&i)); err != nil {
		return err
	}
	if c.Step() != int64(10*i) || len(c.Files()) != 2 {
		return fmt.Errorf("step %d and %d files with the metadata of %d", c.Step(), len(c.Files()), i)
	}
	for name, want := range contents(i) {
		r, err := c.Open(name)
		if err != nil {
			return err
		}
		got, err := io.ReadAll(r)
		if err = errors.Join(err, r.Close()); err != nil || string(got) != want {
			return fmt.Errorf("%s holds %q, %v; want %q", name, got, err, want)
		}
	}
	return nil
}

// goesOn saves and prunes once more and expects no leftover.
func goesOn(f vfs.FS) error {
	s, err := Open(f, crashDir)
	if err != nil {
		return err
	}
	if err := errors.Join(saveNth(s, 9), s.Prune(1)); err != nil {
		return err
	}
	names, err := f.ReadDir(crashDir)
	if err != nil || len(names) != 2 || names[0] != "LOCK" {
		return fmt.Errorf("after another save and Prune(1) there are %q, %v", names, err)
	}
	return atLeast(f, 9)
}

// TestCrashAfterEveryOperation kills the machine before every operation of
// several saves and prunes, in the middle of every write, and looks at what the
// disk may hold then: what was synced, everything, and random parts of the rest.
func TestCrashAfterEveryOperation(t *testing.T) {
	killed := errors.New("killed")
	seen := map[int]int{}
	for n := int64(1); ; n++ {
		disk := vfs.NewMem()
		done, err := train(vfs.NewFailing(disk, vfs.FailFrom(n, killed)))
		if err == nil {
			t.Logf("%d operations, checkpoints saved when killed: %v", n-1, seen)
			break
		}
		if !errors.Is(err, killed) {
			t.Fatalf("operation %d: %v", n, err)
		}
		seen[done]++
		rng := rand.New(rand.NewPCG(uint64(n), 1))
		disks := map[string]*vfs.Mem{
			"nothing unsynced": disk.Crash(),
			"everything":       disk.CrashKeeping(func() bool { return true }),
			"all but power":    disk.Kill(),
		}
		for i := range 6 {
			disks[fmt.Sprint("random ", i)] = disk.CrashKeeping(func() bool { return rng.IntN(2) == 0 })
		}
		for what, left := range disks {
			if err := sound(left, done); err != nil {
				t.Fatalf("killed at operation %d, %s survived: %v", n, what, err)
			}
			// And once more, while recovering.
			again := left.Crash()
			if err := sound(again, done); err != nil {
				t.Fatalf("killed twice at operation %d, %s survived: %v", n, what, err)
			}
			if err := goesOn(left); err != nil {
				t.Fatalf("killed at operation %d, %s survived: %v", n, what, err)
			}
		}
	}
	if len(seen) != 5 {
		t.Errorf("killed with %v checkpoints saved, want each of 0 to 4", seen)
	}
}

// TestCrashWhileRecovering kills the process in a save, and then the machine at
// every operation of the save that clears up.
func TestCrashWhileRecovering(t *testing.T) {
	killed := errors.New("killed")
	for first := int64(1); ; first++ {
		disk := vfs.NewMem()
		kept, err := train(vfs.NewFailing(disk, vfs.FailFrom(first, killed)))
		if err == nil {
			return
		}
		for second, over := int64(1), false; !over; second++ {
			over = recoverAt(t, disk, kept, first, second)
		}
	}
}

// atLeast checks that what is there is whole, and that checkpoint low or a later
// one is.
func atLeast(f vfs.FS, low int) error {
	s, err := Open(f, crashDir)
	if err != nil {
		return err
	}
	list, err := s.List()
	if err != nil {
		return err
	}
	for _, c := range list {
		if err := whole(c); err != nil {
			return err
		}
	}
	if low > 0 && (len(list) == 0 || int(list[len(list)-1].Step()/10) < low) {
		return fmt.Errorf("checkpoint %d is lost", low)
	}
	return nil
}

// recoverAt saves on what a process killed at operation first left, until
// operation second, and says whether the save came to its end.
func recoverAt(t *testing.T, disk *vfs.Mem, kept int, first, second int64) bool {
	left := disk.Kill()
	s, err := Open(left, crashDir)
	must(t, err)
	s.fs = vfs.NewFailing(left, vfs.FailFrom(second, errors.New("killed")))
	// Number 5 is new whatever was there.
	err = saveNth(s, 5)
	for _, after := range []*vfs.Mem{left, left.Crash()} {
		if err := atLeast(after, kept); err != nil {
			t.Fatalf("killed at %d and %d: %v", first, second, err)
		}
	}
	return err == nil
}

// TestEveryOperationMayFail lets each operation fail once, as a full disk or a
// bad cable does, and the process live on.
func TestEveryOperationMayFail(t *testing.T) {
	for n := int64(1); ; n++ {
		disk := vfs.NewMem()
		asked := int64(0)
		count := vfs.FailAt(n, syscall.ENOSPC)
		var failed vfs.Op
		done, err := train(vfs.NewFailing(disk, func(op vfs.Op) error {
			asked++
			err := count(op)
			if err != nil {
				failed = op
			}
			return err
		}))
		if asked < n {
			return
		}
		if err != nil && !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("%v: %v", failed, err)
		}
		if err == nil && done != 4 {
			t.Fatalf("%v: no error, and %d checkpoints", failed, done)
		}
		if err := errors.Join(sound(disk, done), sound(disk.Crash(), done), goesOn(disk)); err != nil {
			t.Fatalf("operation %d, %v: %v", n, failed, err)
		}
	}
}

// TestFullDiskLeavesNothing is a save that fails while its directory can still be cleared.
func TestFullDiskLeavesNothing(t *testing.T) {
	for _, kind := range []string{"write", "sync", "close", "create"} {
		disk := vfs.NewMem()
		s, err := Open(disk, crashDir)
		must(t, err)
		must(t, saveNth(s, 1))
		s.fs = vfs.NewFailing(disk, func(op vfs.Op) error {
			if op.Kind == kind {
				return syscall.ENOSPC
			}
			return nil
		})
		err = saveNth(s, 2)
		if !errors.Is(err, syscall.ENOSPC) || !strings.HasPrefix(err.Error(), "checkpoint of step 20 was not saved: ") {
			t.Errorf("%s: %v", kind, err)
		}
		names, err := disk.ReadDir(crashDir)
		if must(t, err); !slices.Equal(names, []string{"LOCK", "ckpt-00000001"}) {
			t.Errorf("%s: there are %q", kind, names)
		}
		must(t, sound(disk, 1))
	}
}

// TestKill9 kills processes that save to a real disk.
func TestKill9(t *testing.T) {
	if dir := os.Getenv("ROWAN_TEST_KILL9"); dir != "" {
		saveForever(t, dir)
	}
	dir := t.TempDir()
	s, err := Open(vfs.OS{}, dir)
	must(t, err)
	said, kept := 0, 0
	for round := range 12 {
		said = max(said, killOne(t, dir, time.Duration(round*round)*time.Millisecond))
		list, err := s.List()
		must(t, err)
		for _, c := range list {
			must(t, whole(c))
			kept = int(c.Step() / 10)
		}
		if kept < said {
			t.Fatalf("round %d: the child said that %d was saved, the latest is %d", round, said, kept)
		}
	}
	if kept < 2 {
		t.Errorf("only %d checkpoints in all: the children were killed too early to show anything", kept)
	}
	t.Logf("%d checkpoints by 12 killed processes", kept)
}

// killOne starts a child, kills it some time after its first checkpoint, and
// returns the last one that it said was saved.
func killOne(t *testing.T, dir string, after time.Duration) int {
	child := exec.Command(os.Args[0], "-test.run=^TestKill9$")
	child.Env = append(os.Environ(), "ROWAN_TEST_KILL9="+dir)
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	lines, last := bufio.NewScanner(out), 0
	for lines.Scan() {
		n, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Errorf("the child says %q", lines.Text())
		}
		if last == 0 {
			time.AfterFunc(after, func() { _ = child.Process.Kill() })
		}
		last = n
	}
	_ = child.Wait()
	return last
}

func saveForever(t *testing.T, dir string) {
	s, err := Open(vfs.OS{}, dir)
	must(t, err)
	i := 1
	if c, err := s.Latest(); err == nil {
		i = int(c.Step()/10) + 1
	}
	for ; ; i++ {
		must(t, saveNth(s, i))
		fmt.Println(i)
		must(t, s.Prune(2))
	}
}

// TestLocked has a second process's save refused.
func TestLocked(t *testing.T) {
	disk := vfs.NewMem()
	s, err := Open(disk, crashDir)
	must(t, err)
	must(t, saveNth(s, 1))
	must(t, saveNth(s, 2))
	lock, err := disk.Lock(filepath.Join(crashDir, "LOCK"))
	must(t, err)
	for what, err := range map[string]error{"save": saveNth(s, 3), "prune": s.Prune(1)} {
		if !errors.Is(err, vfs.ErrLocked) || !strings.Contains(err.Error(), crashDir) {
			t.Errorf("%s: %v", what, err)
		}
	}
	must(t, s.Prune(2)) // nothing to do
	must(t, lock.Close())
	must(t, sound(disk, 2))
	must(t, s.Prune(1))
}
