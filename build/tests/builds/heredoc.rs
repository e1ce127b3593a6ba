//! Heredocs of `RUN`.

use crate::kit::Bench;

#[test]
fn a_heredoc_alone_is_a_script() {
    let bench = Bench::new();
    let built = bench.build(
        "FROM scratch
RUN <<EOF
mkdir etc
# no comment of the Kubefile
echo \"a  b\" > etc/a

echo FROM scratch > etc/b
EOF
RUN <<-'END'
\techo $((1<<2)) > etc/c
\tEND
CMD echo <<EOF
",
    );
    assert_eq!(bench.tree(&built), ["etc/", "etc/a: a  b", "etc/b: FROM scratch", "etc/c: 4"]);
    assert_eq!(bench.image(&built).sealer.cmds, ["echo <<EOF"]);
}

#[test]
fn a_heredoc_beside_a_command_is_the_shells_and_one_with_an_interpreter_its_own() {
    let bench = Bench::new();
    let built = bench.build(
        "FROM scratch
ARG who=world
RUN cat <<ONE >both && cat <<TWO >>both
hello $who
ONE
and all
TWO
RUN <<EOF
#!/usr/bin/env -S sh -e
echo \"$0\" | grep -q tmp
echo it\\'s > own
EOF
",
    );
    assert_eq!(bench.tree(&built), ["both: hello world\nand all", "own: it's"]);
}

#[test]
fn a_heredoc_without_end_is_named_and_copy_takes_none() {
    assert_eq!(
        Bench::new().refused("FROM scratch\nCOPY <<A etc\nx\nA\nRUN echo <<EOF\nhello\n"),
        "  --> Kubefile:2:6
   |
 2 | COPY <<A etc
   |      ^^^ `COPY` takes no heredoc: `RUN` does
hint: put the text into a file of the context
  --> Kubefile:5:10
   |
 5 | RUN echo <<EOF
   |          ^^^^^ the heredoc has no end: a line `EOF` is missing
"
    );
}
