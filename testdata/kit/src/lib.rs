//! What the tests of every crate share: a real registry, faults on its wire. Knows no type of ours.
