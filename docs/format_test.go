package docs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rowan-embeddings/rowan/initializer"
	"github.com/rowan-embeddings/rowan/internal/format"
	"github.com/rowan-embeddings/rowan/layer"
	"github.com/rowan-embeddings/rowan/model"
	"github.com/rowan-embeddings/rowan/optim"
	"github.com/rowan-embeddings/rowan/tensor"
)

// TestModelCheckpoint saves a small model in the middle of an epoch and looks
// for what it wrote in format.md: every file, every array, and the metadata.
func TestModelCheckpoint(t *testing.T) {
	page, err := os.ReadFile("format.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	saveInTheMiddle(t, dir)
	checkpoint := filepath.Join(dir, "ckpt-00000001")
	entries, err := os.ReadDir(checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
		if !bytes.Contains(page, []byte("    "+e.Name()+" ")) && !bytes.Contains(page, []byte("    "+e.Name()+"\n")) {
			t.Errorf("format.md does not show the file %s", e.Name())
		}
	}
	if want := []string{"callback-early-stopping.state", "dense.arrays", "film.table", "manifest.json", "metric-0.state"}; !slices.Equal(names, want) {
		t.Errorf("files %q, want %q", names, want)
	}
	for _, name := range arraysOf(t, filepath.Join(checkpoint, "dense.arrays")) {
		if !bytes.Contains(page, []byte("`"+name+"`")) {
			t.Errorf("format.md does not name the array %s", name)
		}
	}
	if meta := metaOf(t, filepath.Join(checkpoint, "manifest.json")); !strings.Contains(string(page), meta) {
		t.Errorf("format.md does not show this metadata:\n%s", meta)
	}
}

// stopper ends a training after its first batch, as a signal would.
type stopper struct {
	model.Hooks
	cancel context.CancelFunc
}

func (s *stopper) OnBatchEnd(context.Context, *model.Event) error {
	s.cancel()
	return nil
}

func saveInTheMiddle(t *testing.T, dir string) {
	t.Helper()
	films, err := layer.NewDynamicEmbedding(2, layer.DynamicOptions{Options: layer.Options{Name: "film"}, Initializer: initializer.Zeros{}})
	ok(t, err)
	dense, err := layer.NewDense(1, layer.DenseOptions{Kernel: layer.WeightOptions{Initializer: initializer.Zeros{}}})
	ok(t, err)
	first, err := model.Start(layer.InputOptions{Name: "id", IDs: true, Scope: layer.NewScope(0)})
	ok(t, err)
	m, err := model.NewSequential(first, films, dense)
	ok(t, err)
	ok(t, m.Compile(model.CompileOptions{
		Optimizer:     &optim.Optimizer{Updater: optim.SGD{Momentum: 0.5}, Rate: optim.Constant(0.5)},
		OutputOptions: model.OutputOptions{LossName: "mse", MetricNames: []string{"rmse"}}}))
	ids, err := tensor.NewDense([]int64{1, 2, 3, 4})
	ok(t, err)
	labels, err := tensor.NewValues([]float32{1, 3, 5, 7}, 4)
	ok(t, err)
	to, err := model.OpenCheckpoints(dir)
	ok(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	data := &model.Arrays{Inputs: []layer.Value{{IDs: ids}}, Labels: []*tensor.Values{labels}, BatchSize: 2}
	_, err = m.Fit(ctx, data, model.FitOptions{Epochs: 2, Callbacks: []model.Callback{
		&model.EarlyStopping{Monitor: "loss"}, &stopper{cancel: cancel}, &model.Checkpoint{To: to, Config: map[string]string{"name": "films"}}}})
	if err == nil {
		t.Fatal("training went on after it was told to stop")
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func arraysOf(t *testing.T, file string) (names []string) {
	t.Helper()
	b, err := os.ReadFile(file)
	ok(t, err)
	all, err := format.ReadArrays(bytes.NewReader(b))
	ok(t, err)
	for _, a := range all {
		names = append(names, a.Name)
	}
	if len(names) != 4 {
		t.Fatalf("arrays %q, want kernel and bias with a slot each", names)
	}
	return names
}

// metaOf returns the metadata of a manifest as the page shows it: the name of
// the build is that of one machine.
func metaOf(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	ok(t, err)
	var manifest struct{ Meta json.RawMessage }
	ok(t, json.Unmarshal(b, &manifest))
	var out bytes.Buffer
	ok(t, json.Indent(&out, manifest.Meta, "", "  "))
	return regexp.MustCompile(`"build": "[^"]*"`).ReplaceAllString(out.String(), fmt.Sprintf("%q: %q", "build", "go1.26.0 amd64"))
}
