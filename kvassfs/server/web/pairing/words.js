/** The words that codes are made of: those of kvassfs/pairing/words.py. No two begin with the same three letters. */

/** @type {readonly string[]} */
export const CODE_WORDS = `
acorn actor agent alarm album alley amber angle apple apron arrow artist atlas attic autumn axis
bacon badge bagel baker banjo basil berry bishop blue bottle bread brick broom bubble bucket
butter cable camel canoe cedar chalk cinema circle cliff clock cobalt coffee comet copper coral
crayon cycle daisy dance desert diamond diesel dinner dolphin domino dragon eagle earth echo
eclipse elbow emerald engine evening fabric falcon family feather fennel fiddle flame flute
forest fossil frost gadget galaxy garlic gazelle giant giraffe glacier glove golden gondola
grape green guitar habit hammer harvest hazel helmet hexagon hippo hockey honey horizon hotel
iceberg indigo insect island jacket jaguar jasmine jelly jersey jigsaw journal july jungle kayak
kettle kingdom kitchen kiwi koala ladder lagoon lamp laser laundry lemon leopard letter lilac
linen lion lizard lobster locket lotus lunch magnet mango maple market meadow melody metal
mineral mirror mitten mosaic motor mouse muffin museum napkin nectar needle nickel noodle north
novel nutmeg oasis ocean olive onion opera orange orbit orchid otter outpost oyster panda paper
pepper piano pickle pigeon pilot pixel planet polar poppy potato prism puppet purple puzzle
quartz quilt rabbit radio rainbow raven record ribbon river robin rudder salad scarf sheep
silver sketch sloth snow spider spoon spring stairs stone stream sugar summer swan syrup talent
teapot temple tennis ticket tiger timber toast tomato topaz torch tower trumpet tulip tundra
turtle unicorn upland vacuum vanilla velvet village vinegar violin volcano voyage waffle wagon
walrus water wedding wheat whistle willow winter wolf writer yoyo zebra zenith zigzag zipper
zodiac
`
  .trim()
  .split(/\s+/);
