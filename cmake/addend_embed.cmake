# addend_embed(FOLDER FILE SYMBOL)
# Puts src/FOLDER/FILE into the library addend_FOLDER, as it is, under the name SYMBOL. What uses it declares, in
# namespace addend:
#   extern const std::string_view SYMBOL;
# Made anew when the file changes. Needs nothing but CMake: this very file, run as a script, writes the source.
function(addend_embed folder file symbol)
  set(input ${PROJECT_SOURCE_DIR}/src/${folder}/${file})
  set(output ${PROJECT_BINARY_DIR}/embedded/${folder}/${symbol}.cpp)
  set(script ${PROJECT_SOURCE_DIR}/cmake/addend_embed.cmake)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -D INPUT=${input} -D OUTPUT=${output} -D SYMBOL=${symbol} -P ${script}
    DEPENDS ${input} ${script}
    COMMENT "Embedding src/${folder}/${file}"
    VERBATIM)
  target_sources(addend_${folder} PRIVATE ${output})
endfunction()

if(CMAKE_SCRIPT_MODE_FILE)
  file(READ ${INPUT} bytes HEX)
  string(LENGTH "${bytes}" size)
  math(EXPR size "${size} / 2")
  # Every byte as its own escape, in lines of 32: a compiler takes any number of adjacent literals.
  string(REGEX REPLACE "(..)" "\\\\x\\1" bytes "${bytes}")
  string(REPEAT "...." 32 line)
  string(REGEX REPLACE "(${line})" "\\1\"\n    \"" bytes "${bytes}")
  get_filename_component(name ${INPUT} NAME)
  file(WRITE ${OUTPUT} "// Made from ${name}.
#include <string_view>

namespace addend {

extern const std::string_view ${SYMBOL};
const std::string_view ${SYMBOL}(
    \"${bytes}\",
    ${size});

}  // namespace addend
")
endif()
