-- The weaver of the book (`make paper`): a filter of pandoc over paper/chapters/*.md. It pulls code in by marker, numbers,
-- tables and figures from generated files, and refuses what does not hold together: every refusal is one sentence.
--
--   ``` {.pull marker=NAME}        the lines of ref/, fast/ or experiments/ between `// book: NAME` and `// book: end`
--   [FILE KEY... COLUMN]{.value}   a number from a TSV file: the row whose first columns are KEY..., its COLUMN
--   [ID]{.printed}                 the value that the paper prints, from claims.tsv
--   [FILE]{.file}                  where the numbers of a TSV file are from
--   [ID]{.claim}                   a claim's id with its verdict, a link to the ledger
--   ::: {.equation #ID op=NAME}    an equation; its status strip is made from paper/operations.tsv
--   ::: {.tsv file=FILE part=N}    a table of a TSV file, the first or the N-th, with the command that makes it
--   ::: {.picture name=NAME}       a figure: SVG, alternative text from the div, data link, command
--   ::: {.chosen ids="ID ..."}     rows of choices.tsv; "rest": those told nowhere before
--   ::: {.ledger place=PLACE}      the claims of a section; "rest": those in no ledger before
--
-- Numbers with a decimal point or a per cent sign in prose must come from one of these, or the build fails.

local build = os.getenv("BUILD") or "build"
local files = {
  bench = os.getenv("BOOK_BENCH"), errors = os.getenv("BOOK_ERRORS"), audit = os.getenv("BOOK_AUDIT"),
  claims = os.getenv("BOOK_CLAIMS") or "paper/claims.tsv", choices = "paper/choices.tsv",
  operations = os.getenv("BOOK_OPERATIONS") or "paper/operations.tsv",
}

for name, path in (os.getenv("BOOK_FILES") or ""):gmatch("(%S+)=(%S+)") do files[name] = path end

local function refuse(...)
  io.stderr:write("paper: ", string.format(...), "\n")
  os.exit(1)
end

local function split(line, separator)
  local parts = {}
  for part in (line .. separator):gmatch("(.-)" .. separator) do parts[#parts + 1] = part end
  return parts
end

local function words(text)
  local list = {}
  for word in (text or ""):gmatch("%S+") do list[#list + 1] = word end
  return list
end

-- A TSV file: its column names and rows; lines that begin with # are left out. Behind an empty line stands another
-- table with names of its own: the next one.
local tables = {}
local function tsv(name)
  local path = files[name] or name
  if tables[path] then return tables[path] end
  local file = io.open(path)
  if not file then refuse("%s, which the text takes a number from, is not there", path) end
  local result, present, ended = nil, nil, true
  for line in file:lines() do
    if line == "" then
      ended = true
    elseif not line:match("^#") then
      local cells = split(line, "\t")
      if ended then
        local begun = {path = path, rows = {}, columns = cells, at = {}}
        for i, column in ipairs(cells) do begun.at[column] = i end
        if present then present.next = begun else result = begun end
        present, ended = begun, false
      else
        present.rows[#present.rows + 1] = cells
      end
    end
  end
  file:close()
  if not result then refuse("%s is empty", path) end
  tables[path] = result
  return result
end

local function row_by_id(name, id)
  for _, row in ipairs(tsv(name).rows) do
    if row[1] == id then return row end
  end
  return nil
end

local function cell(name, row, column)
  local at = tsv(name).at[column]
  if not at then refuse("%s has no column %s", tsv(name).path, column) end
  return row[at] or ""
end

-- Markers: every region of the sources, by name.
local markers = {}
local function scan(path)
  local open, number = nil, 0
  for line in io.lines(path) do
    number = number + 1
    local name = line:match("^%s*// book: ([%w_%-]+)%s*$")
    if name == "end" then
      if not open then refuse("%s:%d ends a marker that was not begun", path, number) end
      open.last, open = number - 1, nil
    elseif name then
      if open then refuse("%s:%d begins the marker %s within another", path, number, name) end
      if markers[name] then
        refuse("the marker %s stands twice: %s:%d and %s:%d", name, markers[name].path, markers[name].first - 1, path, number)
      end
      open = {path = path, first = number + 1, lines = {}}
      markers[name] = open
    elseif open then
      open.lines[#open.lines + 1] = line
    end
  end
  if open then refuse("%s has a marker without its end", path) end
end
for path in io.popen((os.getenv("BOOK_SOURCES") or "find ref fast experiments tests -name '*.[ch]'") .. " | sort"):lines() do scan(path) end

-- The claims that rest on an operation, in words.
local function resting(row)
  return string.format(" (claims %s)", cell("operations", row, "claims"))
end

-- The operation of the equation above each pull of a marker.
local operation_of = {}

local used = {}
-- Where the project's files are, from the page: a link of the page opens a source.
local root = os.getenv("BOOK_ROOT") or "."
local function link(path, first)
  return string.format('<a class="path" href="%s/%s"><code>%s%s</code></a>', root, path, path, first and ":" .. first or "")
end

local function pull(block)
  local name = block.attributes.marker
  local marker = markers[name]
  if not marker then
    local op = operation_of[name] and row_by_id("operations", operation_of[name])
    refuse("the text pulls the marker %s, which no source has%s", name or "(none)", op and resting(op) or "")
  end
  if used[name] then refuse("the marker %s is pulled twice", name) end
  used[name] = true
  local code = pandoc.CodeBlock(table.concat(marker.lines, "\n"), {"code-" .. name, {"c"}, {}})
  local caption = string.format('%s to %d', link(marker.path, marker.first), marker.last)
  if #marker.lines > 25 then
    return {pandoc.RawBlock("html", string.format(
              '<details class="code"><summary><code>%s:%d</code> to %d</summary><p class="where">%s</p>', marker.path, marker.first,
              marker.last, link(marker.path))), code,
            pandoc.RawBlock("html", "</details>")}
  end
  return {pandoc.RawBlock("html", string.format('<div class="code"><p class="where">%s</p>', caption)), code,
          pandoc.RawBlock("html", "</div>")}
end

-- Verdicts of the audit.
local function slug(text)
  return (text:gsub("[^%w]+", "-"))
end

local function verdict(id)
  if not row_by_id("claims", id) then refuse("the text names the claim %s, which claims.tsv does not have", id) end
  local row = files.audit and row_by_id("audit", id)
  if not row then refuse("the audit has no verdict of the claim %s: run `make audit`", id) end
  return cell("audit", row, "verdict"), cell("audit", row, "grade"), cell("audit", row, "state")
end

local function chip(id)
  local word, grade, state = verdict(id)
  return string.format('<a class="chip v-%s" href="#claim-%s" title="%s, grade %s, %s">%s: %s</a>', slug(word), id, word, grade,
                       state, id, word)
end

local function claim_of(span)
  return pandoc.RawInline("html", chip(pandoc.utils.stringify(span)))
end

-- Numbers.
local function value(span)
  local spec = words(pandoc.utils.stringify(span))
  if #spec < 3 then refuse("a value needs FILE KEY... COLUMN, not `%s`", table.concat(spec, " ")) end
  local source, column = tsv(spec[1]), spec[#spec]
  local found
  for _, row in ipairs(source.rows) do
    local same = true
    for i = 2, #spec - 1 do same = same and row[i - 1] == spec[i] end
    if same then found = row; break end
  end
  if not found then refuse("%s has no row `%s`", source.path, table.concat(spec, " ", 2, #spec - 1)) end
  local text = cell(spec[1], found, column)
  if text == "" or text == "-" then refuse("%s, row `%s`, has no %s", source.path, table.concat(spec, " ", 2, #spec - 1), column) end
  if span.attributes.digits and tonumber(text) then text = string.format("%." .. span.attributes.digits .. "f", tonumber(text)) end
  return pandoc.Span(pandoc.Str(text), {"", {"number"}, {title = source.path}})
end

local function printed(span)
  local id = pandoc.utils.stringify(span)
  local row = row_by_id("claims", id)
  if not row then refuse("the text quotes the claim %s, which claims.tsv does not have", id) end
  local text = cell("claims", row, "paper_value")
  if text == "" or text == "-" then refuse("the claim %s has no paper_value to quote", id) end
  return pandoc.Span(pandoc.Str(text), {"", {"number", "of-the-paper"}, {title = "printed in the paper"}})
end

local function file_of(span)
  return pandoc.Code(tsv(pandoc.utils.stringify(span)).path)
end

-- The status strip under an equation.
local function exists(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

local tests
local function test_exists(name)
  if not tests then
    tests = {}
    for line in io.popen("grep -o 'START_TEST([a-z0-9_]*)' tests/*.c"):lines() do
      tests[line:match("%((.*)%)")] = line:match("^[^:]*")
    end
  end
  return tests[name]
end

-- The worst error that any run of a test met, as a share of its bound.
local function worst_error(test)
  local worst, bound, error_units, subject
  for _, row in ipairs(tsv("errors").rows) do
    if row[1] == test then
      local share = tonumber(row[6]) > 0 and tonumber(row[5]) / tonumber(row[6]) or 0
      if not worst or share > worst then worst, bound, error_units, subject = share, row[6], row[5], row[3] end
    end
  end
  return worst, bound, error_units, subject
end

local function strip(op)
  local row = row_by_id("operations", op)
  if not row then refuse("an equation names the operation %s, which operations.tsv does not have", op or "(none)") end
  local parts = {}
  local function add(label, html) parts[#parts + 1] = string.format("<div><dt>%s</dt><dd>%s</dd></div>", label, html) end
  local function listing(column)
    local html = {}
    for _, path in ipairs(words(cell("operations", row, column))) do
      if not exists(path) then refuse("the operation %s%s names %s, which is not there", op, resting(row), path) end
      html[#html + 1] = link(path)
    end
    return #html > 0 and table.concat(html, " ") or nil
  end
  add("reference", listing("ref") or refuse("the operation %s%s has no reference", op, resting(row)))
  add("fast", listing("fast") or '<span class="none">none: the reference alone defines it</span>')
  local names = words(cell("operations", row, "tests"))
  if #names == 0 then refuse("the operation %s%s has no test", op, resting(row)) end
  for i, name in ipairs(names) do
    if not test_exists(name) then refuse("the operation %s%s names the test %s, which does not exist", op, resting(row), name) end
    names[i] = string.format('<a href="%s/%s"><code>%s</code></a>', root, test_exists(name), name)
  end
  add("tests", table.concat(names, " "))
  local bounds = {}
  for _, test in ipairs(words(cell("operations", row, "bounds"))) do
    local worst, bound, met, subject = worst_error(test)
    if not worst then refuse("the operation %s%s takes its bound from %s, which no run of the tests recorded", op, resting(row), test) end
    bounds[#bounds + 1] = string.format("<code>%s</code>: worst error %.3g of a bound of %.3g (%.0f%%; %s)", test, tonumber(met),
                                        tonumber(bound), 100 * worst, subject)
  end
  if #bounds == 0 then
    if cell("operations", row, "fast") ~= "" then refuse("the operation %s%s has fast kernels and no bound", op, resting(row)) end
    bounds[1] = "exact: integers"
  end
  add("bound and worst error", table.concat(bounds, "<br>"))
  local claims = {}
  for _, id in ipairs(words(cell("operations", row, "claims"))) do claims[#claims + 1] = chip(id) end
  if #claims == 0 then refuse("the operation %s has no claim", op) end
  add("claims", table.concat(claims, " "))
  return pandoc.RawBlock("html", '<dl class="strip" aria-label="Status of this equation">' .. table.concat(parts) .. "</dl>")
end

local function equation(div)
  if div.identifier == "" then refuse("an equation has no identifier") end
  div.content:insert(strip(div.attributes.op))
  div.attributes.op = nil
  return div
end

-- Tables and figures.
local function escape(text)
  return (text:gsub("&", "&amp;"):gsub("<", "&lt;"):gsub(">", "&gt;"):gsub('"', "&quot;"))
end

-- What scrolls by itself is a landmark, each with a name of its own.
local landmarks = 0
local function scrolling(name)
  landmarks = landmarks + 1
  return string.format('<div class="wide" tabindex="0" role="region" aria-label="%s %d">', name, landmarks)
end

local function html_table(source, columns)
  local html = {scrolling("Table") .. "<table><thead><tr>"}
  for _, column in ipairs(columns) do html[#html + 1] = "<th scope=\"col\">" .. escape((column:gsub("_", " "))) .. "</th>" end
  html[#html + 1] = "</tr></thead><tbody>"
  for _, row in ipairs(source.rows) do
    html[#html + 1] = "<tr>"
    for _, column in ipairs(columns) do
      local at = source.at[column]
      if not at then refuse("%s has no column %s", source.path, column) end
      html[#html + 1] = "<td>" .. escape(row[at] or "") .. "</td>"
    end
    html[#html + 1] = "</tr>"
  end
  html[#html + 1] = "</tbody></table></div>"
  return table.concat(html)
end

local function tsv_div(div)
  local source = tsv(div.attributes.file)
  for _ = 2, tonumber(div.attributes.part or 1) do
    source = source.next or refuse("%s has no part %s", source.path, div.attributes.part)
  end
  local columns = div.attributes.columns and words(div.attributes.columns) or source.columns
  div.content:insert(pandoc.RawBlock("html", html_table(source, columns)))
  if div.attributes.command then
    div.content:insert(pandoc.RawBlock("html", string.format('<p class="made">Made by <code>%s</code>, from <code>%s</code>.</p>',
                                                             escape(div.attributes.command), source.path)))
  end
  return pandoc.Div(div.content, {div.identifier, {"table"}, {}})
end

local function picture(div)
  local name = div.attributes.name
  local path = string.format("%s/%s.svg", os.getenv("BOOK_FIGURES") or (build .. "/figures"), name)
  local file = io.open(path)
  if not file then refuse("the figure %s is not there (%s): run `make figures`", name, path) end
  file:close()
  local alternative = pandoc.utils.stringify(pandoc.Div(div.content))
  if alternative == "" then refuse("the figure %s has no words that stand for it", name) end
  local data = io.open((path:gsub("%.svg$", ".tsv")))
  if not data then refuse("the figure %s has no numbers beside it", name) end
  local numbers = data:read("a")
  data:close()
  return {
    pandoc.RawBlock("html", string.format('<figure id="%s">', name)),
    pandoc.Para({pandoc.Image(pandoc.Str(alternative), path)}),
    pandoc.RawBlock("html", "<figcaption>"), pandoc.Plain(pandoc.utils.blocks_to_inlines(div.content)),
    pandoc.RawBlock("html", string.format(
      ' <span class="made">Made by <code>%s</code>.</span> <details><summary>Its numbers</summary><pre tabindex="0">%s</pre></details></figcaption></figure>',
      escape(div.attributes.command or "make " .. name), escape(numbers))),
  }
end

local function chosen(div)
  local html = {'<aside class="chosen" aria-label="We chose: ' .. escape(div.attributes.ids) .. '"><p class="voice">We chose</p><dl>'}
  local ids = words(div.attributes.ids)
  if div.attributes.ids == "rest" then
    ids = {}
    for _, row in ipairs(tsv("choices").rows) do
      if not used["choice " .. row[1]] then ids[#ids + 1] = row[1] end
    end
  end
  for _, id in ipairs(ids) do
    local row = row_by_id("choices", id)
    if not row then refuse("the text names the choice %s, which choices.tsv does not have", id) end
    html[#html + 1] = string.format("<dt id=\"choice-%s\">%s <code>%s</code></dt><dd>%s <span class=\"why\">%s</span></dd>", id,
                                    escape(id), escape(cell("choices", row, "option")), escape(cell("choices", row, "default")),
                                    escape(cell("choices", row, "reason")))
    used["choice " .. id] = true
  end
  html[#html + 1] = "</dl></aside>"
  return pandoc.RawBlock("html", table.concat(html))
end

local listed = {}
local function ledger(div)
  local html, count = {}, 0
  for _, row in ipairs(tsv("claims").rows) do
    local place = cell("claims", row, "place")
    local wanted = div.attributes.place
    if place == wanted or place:sub(1, #wanted + 1):match("^" .. wanted:gsub("%p", "%%%0") .. "[ ,(]") or
      (wanted == "rest" and not listed[row[1]]) then
      local id = row[1]
      local word, grade, state = verdict(id)
      count, listed[id] = count + 1, true
      html[#html + 1] = string.format(
        '<tr id="claim-%s"><th scope="row">%s</th><td>%s</td><td class="v-%s">%s</td><td>%s</td><td>%s</td><td><code>%s</code></td></tr>',
        id, id, escape(cell("claims", row, "statement")), slug(word), escape(word), escape(grade), escape(state),
        escape(cell("claims", row, "decider")))
    end
  end
  if count == 0 and div.attributes.place ~= "rest" then refuse("no claim stands at the place %s", div.attributes.place) end
  return pandoc.RawBlock("html", scrolling("Claims") .. '<table class="ledger"><thead><tr><th scope="col">claim</th>' ..
    '<th scope="col">statement</th><th scope="col">verdict</th><th scope="col">grade</th><th scope="col">state</th>' ..
    '<th scope="col">decided by</th></tr></thead><tbody>' .. table.concat(html) .. "</tbody></table></div>")
end

-- Voices and prose.
local voices = {paper = "The paper says", found = "We found"}
local function voice(div, class)
  div.content:insert(1, pandoc.RawBlock("html", '<p class="voice">' .. voices[class] .. "</p>"))
  return div
end

-- The paper's sections are 3.1 to 3.5 and 4.1 to 4.5.
local function check_number(text)
  local is_section = text.text:match("^%(?[34]%.[1-5][.,;:)]*$")
  if not is_section and (text.text:match("%d%.%d") or text.text:match("%d%%")) then
    refuse("the number %s stands in prose: take it from a generated file ({.value}, {.printed})", text.text)
  end
end

-- The map of claims is drawn by graphviz; its nodes are links.
local function map_of_claims()
  local file = io.open(build .. "/book/map.svg")
  if not file then refuse("the map of claims is not there: %s/book/map.svg", build) end
  local svg = file:read("a")
  file:close()
  return pandoc.RawBlock("html", '<div class="map wide" tabindex="0" role="region" aria-label="Map of the claims">' .. svg .. "</div>")
end

local blocks_by_class = {map = map_of_claims, equation = equation, tsv = tsv_div, picture = picture, chosen = chosen, ledger = ledger}

function Pandoc(document)
  local op
  for _, block in ipairs(document.blocks) do
    if block.t == "Header" then op = nil end
    if block.t == "Div" and block.classes:includes("equation") then op = block.attributes.op end
    if block.t == "CodeBlock" and block.attributes.marker then operation_of[block.attributes.marker] = op end
  end
  -- Numbers are looked for before the spans that bring them are resolved.
  pandoc.walk_block(pandoc.Div(document.blocks), {
    Span = function(span)
      for _, class in ipairs {"value", "printed", "claim"} do -- a claim's id may have its section in it, as in s3.2.used
        if span.classes:includes(class) then return {} end
      end
    end,
    Inlines = function(list)
      for _, inline in ipairs(list) do
        if inline.t == "Str" then check_number(inline) end
      end
    end,
  })
  return document
end

local function finish(document)
  for name, marker in pairs(markers) do
    if not used[name] then refuse("the marker %s (%s:%d) is pulled nowhere", name, marker.path, marker.first - 1) end
  end
  for _, row in ipairs(tsv("choices").rows) do
    if not used["choice " .. row[1]] then refuse("the choice %s is told nowhere in the book", row[1]) end
  end
  for _, row in ipairs(tsv("claims").rows) do
    if not listed[row[1]] then refuse("the claim %s (place %s) is in no ledger of the book", row[1], cell("claims", row, "place")) end
  end
  return document
end

return {
  {Pandoc = Pandoc},
  {
    -- A wide formula scrolls in a narrow column, with the keys too.
    Math = function(math)
      if math.mathtype ~= "DisplayMath" then return nil end
      return {pandoc.RawInline("html", '<span class="formula" tabindex="0">'), math, pandoc.RawInline("html", "</span>")}
    end,
    CodeBlock = function(block) if block.classes:includes("pull") then return pull(block) end end,
    Span = function(span)
      for class, make in pairs {value = value, printed = printed, claim = claim_of, file = file_of} do
        if span.classes:includes(class) then return make(span) end
      end
    end,
    Div = function(div)
      for class, make in pairs(blocks_by_class) do
        if div.classes:includes(class) then return make(div) end
      end
      for class in pairs(voices) do
        if div.classes:includes(class) then return voice(div, class) end
      end
    end,
  },
  {Pandoc = finish},
}
