# Writes OUT, the C source that holds the FILES of the page, which are in DIR.
#
#	cmake -DDIR=... -DOUT=... "-DFILES=index.html,app.js" -P web_embed.cmake

string(REPLACE "," ";" FILES "${FILES}")
set(types_html "text/html; charset=utf-8")
set(types_js "text/javascript; charset=utf-8")
set(types_css "text/css; charset=utf-8")
set(types_svg "image/svg+xml")
set(types_txt "text/plain; charset=utf-8")
set(types_json "application/json")

set(arrays "")
set(rows "")
set(number 0)
foreach(file IN LISTS FILES)
  file(READ "${DIR}/${file}" hex HEX)
  file(SHA256 "${DIR}/${file}" hash)
  file(SIZE "${DIR}/${file}" size)
  string(SUBSTRING "${hash}" 0 24 hash)
  string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
  get_filename_component(extension "${file}" LAST_EXT)
  string(SUBSTRING "${extension}" 1 -1 extension)
  string(APPEND arrays "static const unsigned char data_${number}[] = {\n${hex}};\n\n")
  string(APPEND rows "\t{\"/web/${file}\", \"${types_${extension}}\", \"\\\"${hash}\\\"\", data_${number}, ${size}},\n")
  math(EXPR number "${number} + 1")
endforeach()

file(WRITE "${OUT}" "#include \"aggregator/serve/web.h\"

${arrays}const struct web_file WEB_FILES[] = {
${rows}};

const size_t WEB_FILE_COUNT = ${number};
")
