/* A program on a shared libpython whose executable holds copies of types (copy relocations),
 * as `cython --embed` makes: `embed_copies SOURCE`. Built without Python's headers. */
#include <stdio.h>

struct type_object; /* PyTypeObject */
extern struct type_object PyType_Type, PyDict_Type;
void Py_Initialize(void);
int PyRun_SimpleStringFlags(const char *source, void *flags);

int main(int argc, char **argv)
{
	struct type_object *volatile copied[] = {&PyType_Type, &PyDict_Type};

	if (argc != 2 || copied[0] == copied[1])
		return 2;
	Py_Initialize();
	return PyRun_SimpleStringFlags(argv[1], NULL) ? 1 : 0;
}
