#!/bin/sh
# Draws the demo's pictures anew with the built-in generator: sh assets/pictures/make.sh
# Each seed and sentence is one picture; some are right, some are not, so that there is something to sort, and to refine.
cd "$(dirname "$0")/../.." || exit 1
draw() {
  node bin/renoir.mjs generate --model shapes --prompt "$2" --seed "$1" --out assets/pictures
}
rm -f assets/pictures/*.png
draw 2 "a red circle left of a blue square"
draw 3 "a red circle left of a blue square"
draw 11 "a green triangle above a yellow circle"
draw 13 "a green triangle above a yellow circle"
draw 22 "two blue squares"
draw 23 "two blue squares"
draw 31 "a purple cross on white"
draw 32 "a purple cross on white"
draw 51 "a small yellow triangle on black"
draw 53 "a small yellow triangle on black"
draw 62 "three red circles"
draw 71 "a large cyan square below a small green cross"
