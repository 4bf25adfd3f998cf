/* SPDX-License-Identifier: Apache-2.0 */

/* replay - run a fuzz target once on each file named: how ctest runs a corpus without libFuzzer. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
	static uint8_t data[1 << 20];

	if (argc < 2) {
		fprintf(stderr, "no corpus\n");
		return EXIT_FAILURE;
	}
	for (int i = 1; i < argc; i++) {
		FILE *f = fopen(argv[i], "rb");

		if (f == NULL) {
			perror(argv[i]);
			return EXIT_FAILURE;
		}
		size_t size = fread(data, 1, sizeof(data), f);
		fclose(f);
		LLVMFuzzerTestOneInput(data, size);
	}
	return EXIT_SUCCESS;
}
