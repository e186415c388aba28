// Command gen writes the assembly of package kernel: every function once for
// AVX2 and once for AVX-512, from one description.
//
//	go run . -pkg kernel -out ../kernel_amd64.s -stubs ../stubs_amd64.go
//
// What differs between the two instruction sets is in isa.go. The loops are in
// pool.go, copy.go, rows.go, half.go, update.go and rules.go. The same input gives the same bytes.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
)

func main() {
	ConstraintExpr("!noasm")
	maskTable()
	maxIndex()
	widenBrain()
	widenFloat16()
	for _, s := range []isa{avx2{}, avx512{}} {
		pool(s, false)
		pool(s, true)
		gather(s)
		scatter(s)
		dot(s)
		sumSquares(s)
		scaleRows(s)
		divRows(s)
		sgd(s)
		adagrad(s)
		rowWiseAdagrad(s)
		adam(s)
		adamDecay(s)
		momentum(s, false)
		momentum(s, true)
		rmsprop(s, "rmsprop", false, false)
		rmsprop(s, "rmspropMomentum", true, false)
		rmsprop(s, "rmspropCentered", false, true)
		rmsprop(s, "rmspropCenteredMomentum", true, true)
		adadelta(s)
		amsgrad(s)
		adamax(s)
		nadam(s)
		lion(s)
		ftrl(s)
		proximalSGD(s)
		proximalAdagrad(s)
	}
	Generate()
}

// function begins an assembly function and its stub, which is the reference of
// the same name with vectors.
func function(s isa, name, signature string) {
	twin(s, name, name, "func("+signature+")")
}

// twin begins an assembly function for a reference of another name.
func twin(s isa, name, reference, signature string) {
	TEXT(name+s.suffix(), 0, signature)
	Doc(name + s.suffix() + " is " + reference + "Go with vectors.")
	Pragma("noescape")
}

// label makes a name that is unique within the current function.
type label struct{ prefix string }

func (l label) of(name string) operand.LabelRef { return operand.LabelRef(l.prefix + name) }

func (l label) place(name string) { Label(string(l.of(name))) }
