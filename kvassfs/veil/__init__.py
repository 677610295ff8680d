"""The veil: what a hub that cannot read keeps of a store, made and opened by pure functions.

contrib/doc/protocol.md has every byte, in its section *Sealed stores*. From the ground up: ``keys`` derives keys and names,
``layout`` says how long the parts of a value are, ``block_cipher`` and ``lists`` encrypt blocks and the lists of them, ``links``
makes tokens and keys of share links, ``attributes`` what describes a version, ``head`` what proves who made it, ``values`` whole values, and
``deliveries`` entries on their way. Nothing here has a store, a network or a clock.
"""
