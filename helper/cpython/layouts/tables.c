#include "cpython/layout.h"

#include <stddef.h>

/* Newest first, and inside a minor version the row of its latest release first. */
static const struct rme_layout layouts[] = {
	{
#include "cpython_3_13_0.inc"
	},
	{
#include "cpython_3_12_1.inc"
	},
	{
#include "cpython_3_11_7.inc"
	},
	{
#include "cpython_3_10_13.inc"
	},
	{
#include "cpython_3_9_18.inc"
	},
	{
#include "cpython_3_8_18.inc"
	},
};

const struct rme_layout *rme_layout_at(unsigned index)
{
	return index < sizeof(layouts) / sizeof(layouts[0]) ? &layouts[index] : NULL;
}
