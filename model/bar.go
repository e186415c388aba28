package model

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// Progress is a callback that tells how training goes: a bar on a terminal,
// which is drawn over; elsewhere a line from time to time and one an epoch. Its
// numbers of time are for people and are in no checkpoint.
type Progress struct {
	Hooks
	// Out is where to write. Default: os.Stderr.
	Out io.Writer
	// Every is the least time between two lines. Default: a tenth of a second
	// on a terminal, ten seconds elsewhere.
	Every time.Duration

	now      func() time.Time // nil: time.Now
	terminal bool
	begun    bool
	drawn    bool // the line on the terminal is not ended
	epoch    int
	start    time.Time // of the epoch, or of going on with it
	seen     int64     // examples of the epoch before start
	last     time.Time // of the last line
	batchEnd time.Time // end of the last batch: validation is not training
}

// barWidth leaves room for the numbers in 80 columns.
const barWidth = 20

func (p *Progress) begin(e *Event) {
	if p.now == nil {
		p.now = time.Now
	}
	if p.Out == nil {
		p.Out = os.Stderr
	}
	if p.begun && p.epoch == e.Epoch {
		return
	}
	p.terminal = isTerminal(p.Out)
	if p.Every == 0 {
		p.Every = 10 * time.Second
		if p.terminal {
			p.Every = time.Second / 10
		}
	}
	// The first batch is not counted: it is over, and compiling was part of it.
	p.begun, p.epoch, p.start, p.last, p.seen = true, e.Epoch, p.now(), p.now(), e.Examples
}

// isTerminal reports whether w is a character device.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// OnBatchEnd implements [Callback].
func (p *Progress) OnBatchEnd(_ context.Context, e *Event) error {
	p.begin(e)
	p.batchEnd = p.now()
	if p.batchEnd.Sub(p.last) < p.Every {
		return nil
	}
	p.last = p.batchEnd
	if !p.terminal {
		return p.write("%s\n", p.line(e))
	}
	p.drawn = true
	return p.write("\r\033[K%s", p.line(e))
}

// OnEpochEnd implements [Callback].
func (p *Progress) OnEpochEnd(_ context.Context, e *Event) error {
	p.begin(e)
	if p.drawn {
		p.drawn = false
		return p.write("\r\033[K%s\n", p.line(e))
	}
	return p.write("%s\n", p.line(e))
}

// OnTrainEnd ends a line that was being drawn.
func (p *Progress) OnTrainEnd(context.Context, *Event) error {
	p.begun = false
	if !p.drawn {
		return nil
	}
	p.drawn = false
	return p.write("\n")
}

func (p *Progress) write(format string, args ...any) error {
	_, err := fmt.Fprintf(p.Out, format, args...)
	return err
}

// line is "epoch 2/11  [=======>    ] 312/1576  loss 0.7312  81234 examples/s".
func (p *Progress) line(e *Event) string {
	var b strings.Builder
	fmt.Fprintf(&b, "epoch %d/%d  ", e.Epoch+1, e.Epochs)
	if e.Batches > 0 {
		if p.terminal {
			b.WriteString(bar(e.Batch, e.Batches))
		}
		fmt.Fprintf(&b, "%d/%d", e.Batch, e.Batches)
	} else {
		fmt.Fprintf(&b, "%d batches", e.Batch)
	}
	fmt.Fprintf(&b, "  %s", e.Logs)
	if took := p.batchEnd.Sub(p.start).Seconds(); took > 0 && e.Examples > p.seen {
		fmt.Fprintf(&b, "  %.0f examples/s", float64(e.Examples-p.seen)/took)
	}
	return b.String()
}

func bar(done, all int) string {
	n := min(done, all) * barWidth / all
	head := ">"
	if n == barWidth {
		head = ""
	}
	return fmt.Sprintf("[%-*s] ", barWidth, strings.Repeat("=", n)+head)
}
