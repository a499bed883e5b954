# Fails the build when the helper is not what runs anywhere: an undefined symbol, a needed
# library, a writable section, or a relocation other than those that every loader of it
# applies (rememberme.h) would need a dynamic linker.
find_program(READELF NAMES readelf llvm-readelf REQUIRED)

execute_process(COMMAND ${READELF} -W -r ${LIBRARY} OUTPUT_VARIABLE relocations
  COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "\n[0-9a-f]+ +[0-9a-f]+ [^\n]+" others "${relocations}")
list(FILTER others EXCLUDE REGEX " R_X86_64_RELATIVE +[0-9a-f]+ *$")
string(REGEX MATCHALL "Relocation section '[^']+'" tables "${relocations}")
list(FILTER tables EXCLUDE REGEX "'\\.rela\\.dyn'")
if(others OR tables)
  message(FATAL_ERROR "${LIBRARY} has relocations that its loaders do not apply:\n${relocations}")
endif()

execute_process(COMMAND ${READELF} -W --dyn-syms ${LIBRARY} OUTPUT_VARIABLE symbols
  COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^\n]* UND [^\n]+" undefined "${symbols}")
list(FILTER undefined EXCLUDE REGEX "NOTYPE +LOCAL +DEFAULT +UND *$")
if(undefined)
  message(FATAL_ERROR "${LIBRARY} has undefined symbols:\n${undefined}")
endif()

execute_process(COMMAND ${READELF} -W -d ${LIBRARY} OUTPUT_VARIABLE dynamic
  COMMAND_ERROR_IS_FATAL ANY)
if(dynamic MATCHES "NEEDED|TEXTREL|RELR|JMPREL")
  message(FATAL_ERROR "${LIBRARY} needs a dynamic linker:\n${dynamic}")
endif()

# What the linker marks writable, but nobody writes once it is relocated: constants that hold
# addresses (.data.rel.ro), and its own tables.
execute_process(COMMAND ${READELF} -W -S ${LIBRARY} OUTPUT_VARIABLE sections
  COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^\n]*\\] +[^\n]* W[AT]* [^\n]*" writable "${sections}")
list(FILTER writable EXCLUDE REGEX "\\] \\.(data\\.rel\\.ro(\\.local)?|dynamic|got|got\\.plt) ")
if(writable)
  message(FATAL_ERROR "${LIBRARY} has writable sections:\n${writable}")
endif()
