/* A program by the name of a plugin. */
int main(void) { return 0; }
