package mutate

import "strings"

// Environment variables of an instrumented test binary.
const (
	envMutant = "PATHKEEPER_MUTANT" // the number of the mutant that is on
	envReach  = "PATHKEEPER_REACH"  // a file that gets the number of every mutant that is reached, once
)

// switchFile is what is compiled into each instrumented package: is this mutant
// on? It is no part of the product, so it may read the environment.
func switchFile(pkg string) []byte { return []byte(strings.Replace(switchText, "PACKAGE", pkg, 1)) }

const switchText = `package PACKAGE

import (
	"cmp"
	"os"
	"slices"
	"strconv"
)

var (
	mutID, _ = strconv.Atoi(os.Getenv("` + envMutant + `"))
	mutFile  = mutOpen()
	mutSeen  [1 << 16]bool
)

func mutOpen() *os.File {
	f, err := os.OpenFile(os.Getenv("` + envReach + `"), os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return nil
	}
	return f
}

func mutOn(id int) bool {
	if mutFile != nil && !mutSeen[id] {
		mutSeen[id] = true
		_, _ = mutFile.WriteString(strconv.Itoa(id) + "\n")
	}
	return mutID == id
}

type mutNumber interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~uintptr
}

func mutNext[T mutNumber](id int, v T) T {
	if mutOn(id) {
		return v + 1
	}
	return v
}

func mutTwice[T mutNumber](id int, v T) T {
	if mutOn(id) {
		return v * 2
	}
	return v
}

func mutNever[T ~int64](id int, v T) T {
	if mutOn(id) {
		return 1<<63 - 1
	}
	return v
}

func mutAdd[T mutNumber](id int, a, b T) T {
	if mutOn(id) {
		return a - b
	}
	return a + b
}

func mutSub[T mutNumber](id int, a, b T) T {
	if mutOn(id) {
		return a + b
	}
	return a - b
}

func mutMul[T mutNumber](id int, a, b T) T {
	if mutOn(id) {
		return a / b
	}
	return a * b
}

func mutQuo[T mutNumber](id int, a, b T) T {
	if mutOn(id) {
		return a * b
	}
	return a / b
}

func mutMin[T cmp.Ordered](id int, list ...T) T {
	if mutOn(id) {
		return slices.Max(list)
	}
	return slices.Min(list)
}

func mutMax[T cmp.Ordered](id int, list ...T) T {
	if mutOn(id) {
		return slices.Min(list)
	}
	return slices.Max(list)
}
`
