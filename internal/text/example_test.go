package text_test

import (
	"fmt"

	"github.com/rowan-embeddings/rowan/internal/text"
)

func Example() {
	s, err := text.New(text.Options{Stripes: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()

	for number, title := range []string{"Heat", "Alien", "Brazil"} {
		if err := s.Write(number%2, uint32(number), title); err != nil {
			fmt.Println(err)
			return
		}
	}
	s.Erase(1, 1)
	_ = s.Write(0, 2, "Brazil (1985)")
	titles := make([]string, 4)
	s.ReadAll([]uint32{2, 1, 0, 99}, titles)
	fmt.Printf("%q\n", titles)
	// Output:
	// ["Brazil (1985)" "" "Heat" ""]
}
