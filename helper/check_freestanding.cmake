# Fails the build when the helper is not what runs anywhere: a relocation, an undefined
# symbol, a needed library or a writable section would all need a dynamic linker.
find_program(READELF NAMES readelf llvm-readelf REQUIRED)

execute_process(COMMAND ${READELF} -W -r ${LIBRARY} OUTPUT_VARIABLE relocations
  COMMAND_ERROR_IS_FATAL ANY)
if(NOT relocations MATCHES "There are no relocations in this file")
  message(FATAL_ERROR "${LIBRARY} has relocations:\n${relocations}")
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
if(dynamic MATCHES "NEEDED")
  message(FATAL_ERROR "${LIBRARY} needs other libraries:\n${dynamic}")
endif()

# .dynamic is the only section that the linker marks writable; the helper never is asked
# to be relocated, so nothing writes it.
execute_process(COMMAND ${READELF} -W -S ${LIBRARY} OUTPUT_VARIABLE sections
  COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^\n]*\\] +[^\n]* W[AT]* [^\n]*" writable "${sections}")
list(FILTER writable EXCLUDE REGEX "\\] \\.(dynamic|got|got\\.plt) ")
if(writable)
  message(FATAL_ERROR "${LIBRARY} has writable sections:\n${writable}")
endif()
