package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// grid lines up cells in columns: the first column to the left, numbers to the
// right.
type grid [][]string

func (g *grid) add(cells ...string) { *g = append(*g, cells) }

// write prints the grid, with the columns of text named by left.
func (g grid) write(w io.Writer, left ...int) error {
	var widths []int
	for _, row := range g {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	toLeft := map[int]bool{0: true}
	for _, i := range left {
		toLeft[i] = true
	}
	for _, row := range g {
		var b strings.Builder
		for i, cell := range row {
			space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i > 0 {
				b.WriteString("  ")
			}
			if toLeft[i] {
				b.WriteString(cell + space)
			} else {
				b.WriteString(space + cell)
			}
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(b.String(), " ")); err != nil {
			return err
		}
	}
	return nil
}

// number writes an integer with a comma between each three digits.
func number[N int | int64](n N) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// size writes a number of bytes for people.
func size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}
