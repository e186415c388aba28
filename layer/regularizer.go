package layer

import "github.com/rowan-embeddings/rowan/regularizer"

// regularizer reads a regularizer by name or config.
func (r reader) regularizer(key string) regularizer.Regularizer {
	class, c, ok := r.Object(key)
	if !ok {
		return nil
	}
	made, err := regularizer.FromConfig(regularizer.Config{ClassName: class, Config: c})
	r.Inside(key, err)
	return made
}

// regularizerConfig is the config of a regularizer: of one that has none, the error.
func regularizerConfig(r regularizer.Regularizer) any {
	if regularizer.IsNone(r) {
		return nil
	}
	c, err := regularizer.ToConfig(r)
	if err != nil {
		return err
	}
	return map[string]any{"class_name": c.ClassName, "config": c.Config}
}
