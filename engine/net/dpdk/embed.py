"""Makes a file of the build part of a program: embed.py FILE NAME OUTPUT.S

The bytes are const uint8_t NAME[], and end where NAME_end[] begins.
"""
import os
import sys

path, name, output = sys.argv[1:]
with open(output, 'w') as assembler:
    assembler.write(f'''
    .section .rodata
    .balign 64
    .global {name}
{name}:
    .incbin "{os.path.abspath(path)}"
    .global {name}_end
{name}_end:
    .byte 0
    .section .note.GNU-stack, "", %progbits
''')
