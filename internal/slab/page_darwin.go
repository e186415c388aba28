//go:build darwin && !slab_heap

package slab

var bigPage = smallPage
