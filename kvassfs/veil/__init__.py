"""The veil: what a hub that cannot read keeps of a store, made and opened by pure functions.

contrib/doc/protocol.md has every byte, in its section *Sealed stores*. From the ground up: ``keys`` derives keys and names,
``layout`` says how long the parts of a value are, ``block_cipher`` and ``lists`` encrypt blocks and the lists of them,
``links`` makes tokens and keys of share links, ``attributes`` are what describes a version, ``head`` has them and proves who
made it, ``values`` are whole values, ``deliveries`` entries on their way, and ``addresses`` what opens one of them. Nothing
here has a store, a network or a clock.
"""
