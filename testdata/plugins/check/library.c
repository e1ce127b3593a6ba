/* A shared library that is no plugin at all. */
int answer(void) { return 42; }
