//go:build race

package rowan_test

const raceEnabled = true
