package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// joined is a file that has been read for a [Join]: its columns, and the row of each key.
type joined struct {
	join    *Join
	vectors []*vector
	rows    map[string]uint32
}

func (c *Config) readJoins(ctx context.Context) ([]*joined, error) {
	var all []*joined
	for i := range c.Joins {
		j, err := c.readJoin(ctx, i)
		if err != nil {
			return nil, err
		}
		all = append(all, j)
	}
	return all, nil
}

func (c *Config) readJoin(ctx context.Context, i int) (_ *joined, err error) {
	j := &joined{join: &c.Joins[i], rows: map[string]uint32{}}
	r, err := c.open(&j.join.File)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	if err := j.bind(r, fmt.Sprintf("joins[%d]", i)); err != nil {
		return nil, err
	}
	if err := readAll(ctx, r); err != nil {
		return nil, err
	}
	for _, v := range j.vectors {
		v.shrink()
	}
	return j, nil
}

func (j *joined) bind(r *reader, at string) error {
	if err := r.bind(j.key(), j.addKey); err != nil {
		return err
	}
	for i, column := range j.join.Columns {
		v := newVector(column, &j.join.File)
		j.vectors = append(j.vectors, v)
		if err := r.bind(column.from(), v.add); err != nil {
			return err
		}
		if !j.join.Optional {
			continue
		}
		if err := v.addMissing(); err != nil {
			return configError(fmt.Sprintf("%s.columns[%d].default", at, i), "the join is optional, so column %s needs a default: %v", column.Name, err)
		}
	}
	return nil
}

func (j *joined) key() string {
	if j.join.Key != "" {
		return j.join.Key
	}
	return j.join.On
}

func (j *joined) addKey(text []byte) error {
	row := uint32(len(j.rows))
	if j.join.Optional {
		row++
	}
	if _, ok := j.rows[string(text)]; ok {
		return fmt.Errorf("the key %q is there twice; expected each key once", text)
	}
	j.rows[string(text)] = row
	return nil
}

// find returns the row of a key.
func (j *joined) find(text []byte) (uint32, error) {
	row, ok := j.rows[string(text)]
	if !ok && !j.join.Optional {
		return 0, fmt.Errorf("%s has no row with %s %q; add one, or make the join optional", j.join.Path, j.key(), text)
	}
	return row, nil // 0, if it is absent and may be
}

// checkEvery is the number of records between two looks at the context.
const checkEvery = 4096

// readAll reads a file to its end.
func readAll(ctx context.Context, r *reader) error {
	for n := 0; ; n++ {
		if n%checkEvery == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		if err := r.next(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}
