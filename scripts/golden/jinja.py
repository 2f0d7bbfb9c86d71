#!/usr/bin/env python3
"""Makes tests/golden/jinja.json: small templates and what Jinja renders them to, in an environment like Hugging Face's.

An error is recorded as null: ours must refuse that template too, in its own words.

    pip install jinja2==3.1.6 && scripts/golden/jinja.py > tests/golden/jinja.json
"""
import json

import jinja2
import jinja2.ext
import jinja2.sandbox

VARIABLES = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "  2+2? \n"},
        {"role": "assistant", "content": "4", "tool_calls": [{"name": "f", "arguments": {"x": 1, "y": [True, None, 1.5]}}]},
        {"role": "user", "content": "Grüße, 世界 🌍!"},
    ],
    "add_generation_prompt": True,
    "bos_token": "<s>",
    "eos_token": "</s>",
    "xs": [3, 1, 2],
    "words": ["b", "A", "c", "a"],
    "d": {"one": 1, "two": 2, "Three": 3},
    "nested": {"a": {"b": [{"c": "deep"}]}},
    "empty": [],
    "nothing": None,
    "text": "Hello, big  World",
    "lines": "one\n\ntwo\nthree\n",
    "people": [{"name": "Bo", "age": 30}, {"name": "al", "age": 25}, {"name": "Cy"}],
    "f": 2.5,
    "html": "<a href='x'>\"&\"</a>",
}

# Templates, one in each line of a group; \n in them is a newline.
GROUPS = {
    "white space": r"""
a\n{% if true %}\nb\n{% endif %}\nc\n
a\n  {% if true %}\n  b\n  {% endif %}\nc
a \n  {%- if true -%} \n  b  {%- endif -%}  \n c
a\n  {%+ if true %}\n b\n  {% endif +%}\nc
a\n  {{ 1 }}\nb\n  {{- 2 }}\n  c {{ 3 -}} \n d
a {{ 1 }}\n\n{{ 2 }}\n
x {# c #}\n  {# d #}\ny
x {#- c -#} \n y
x\n {#+ c +#}\ny
  {% set a = 1 %}\n  {{ a }}\n\n
{% set a = 1 %}  {% set b = 2 %}\n{{ a }}{{ b }}
{% for x in xs %}\n  {{ x }}\n{% endfor %}\nend
{%- for x in xs %}\n  {{- x }}\n{%- endfor %}\nend
a{% raw %} {{ x }} {% if %}\n {% endraw %}\nb
a {%- raw -%}  {{ x }}  {%- endraw -%}  b
 {% raw %}\n x\n {% endraw %}\nb
a\r\nb\rc{% if true %}\r\nd{% endif %}
\n
\n\n
 \t{% if true %}\tx{% endif %}
x {% if true %} y {% endif %} z
{{ 1 }}  {% if true %}\n  y{% endif %}
{{ '}}' }}{{ "%}" }}{{ {'a': {'b': 1}}.a.b }}{{ {'a':{}} }}
{{ 1 -}}\n\n  x
{%if true%}a{%endif%}{{1}}
{ { } } {% if true %}{x}{% endif %} { % %}
a\u00a0{%- if true -%}\u00a0b{% endif %}
{{\x1f1\u00a0+\u20031\x0b}}{%\x1cif true\x85%}a \x1f{%-\u3000endif -%}\x1e b
a\n\x1d{% if true %}\u2003\n b\n\u00a0\x1c{% endif %}
{%\x1fraw\x1f%}x{%\x1fendraw\x1f%}
{{ 1 +}}
""",
    "literals": r"""
{{ 'a\\n\\t\\'\\"b' }}|{{ "a'b" }}|{{ 'a' 'b' }}
{{ '\\x41\\u00e9\\U0001f30d\\101\\q\\\\' }}
{{ 'two\nlines' }}
{{ 1 }} {{ 1.5 }} {{ 1e3 }} {{ 1_000 }} {{ 2.5e-7 }} {{ 1e16 }} {{ 123456789012.5 }} {{ 0.1 + 0.2 }} {{ 1e15 }}
{{ true }} {{ True }} {{ false }} {{ none }} {{ None }}
{{ [1, 'a', none, true, 1.0] }} {{ (1, 2) }} {{ (1,) }} {{ () }} {{ [] }} {{ {} }} {{ [1, ] }}
{{ {'a': 1, 'b': [2], 3: 'x', none: 'n'} }}
{{ {'a': 1, 'a': 2} }}
{{ ["it's", 'say "hi"', 'both \\' "', 'tab\\t', 'nl\\n', 'é', '\\x07', '\\u200b', '\\\\'] }}
{{ 1, 2 }}
{{ nothing }} {{ d }} {{ people }}
{{ 1.0 }} {{ -0.0 }} {{ 1e300 * 1e300 }} {{ 100000.0 }} {{ 1e22 }} {{ 1.25e-5 }} {{ 0.0001 }}
{{ '\\x4' }}
""",
    "operators": r"""
{{ 1 + 2 * 3 - 4 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 7 / 2 }} {{ 4 / 2 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ 2 ** 3 ** 2 }}
{{ 1.5 + 1 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }} {{ 1 + true }} {{ -xs[0] }} {{ +3 }} {{ - 3 + 1 }} {{ --3 }}
{{ 'a' + 'b' }} {{ 'ab' * 3 }} {{ 2 * 'ab' }} {{ 'a' * -1 }}| {{ [1] + [2] }} {{ [0] * 3 }} {{ (1,) + (2,) }}
{{ 1 ~ 'a' ~ none ~ 2.0 ~ missing ~ [1] }}
{{ 1 + 2 ~ 3 + 4 }}
{{ 1 ~ 2 * 3 ~ 4 }} {{ '1' + 2 ~ 3 }}
{{ 1 == 1.0 }} {{ true == 1 }} {{ 'a' == 'a' }} {{ 'a' != 'b' }} {{ [1, 2] == [1, 2] }} {{ (1, 2) == [1, 2] }} {{ {'a': 1} == {'a': 1.0} }} {{ none == none }} {{ none == false }} {{ missing == missing2 }} {{ missing == none }}
{{ 1 < 2 }} {{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }} {{ 2 >= 2 }} {{ 2 <= 1 }} {{ 1 > 0.5 }}
{{ 1 in xs }} {{ 9 not in xs }} {{ 'ell' in text }} {{ 'one' in d }} {{ 1 in d }} {{ not 1 in xs }} {{ 'x' in missing }} {{ '' in '' }}
{{ true and 'x' }} {{ 0 or 'y' }} {{ not 0 }} {{ 0 and 1 }} {{ 1 or missing.x }} {{ not true == false }} {{ true or false and false }}
{{ 'a' if true else 'b' }} {{ 'a' if false }} {{ 'a' if false else 'b' if false else 'c' }} {{ ('a' if xs else 'b') + 'c' }}
{{ -1|abs }} {{ (-1)|abs }} {{ 1|string + '2' }} {{ 'a'|upper ~ 'b' }} {{ not missing is defined }} {{ 1 + xs|length }}
{{ xs[0] }} {{ xs[-1] }} {{ xs[9] }} {{ d['one'] }} {{ d.one }} {{ d.missing }} {{ text[0] }} {{ text[-1] }} {{ messages[3].content[0:6] }} {{ messages[3]['content'][-2] }}
{{ xs[1:] }} {{ xs[:-1] }} {{ xs[::-1] }} {{ xs[::2] }} {{ xs[5:] }} {{ xs[-2:] }} {{ xs[2:0:-1] }} {{ text[1:4] }} {{ text[::-1] }} {{ text[-3:] }} {{ xs[:] }} {{ (1,2,3)[1:] }} {{ xs[-9:9] }} {{ xs[9:-9:-1] }}
{{ nested.a.b[0].c }} {{ nested['a']['b'][0]['c'] }} {{ nested.a.b.0.c }} {{ nothing.x }} {{ nothing['x'] }} {{ 1 .x }}
{{ missing }}|{{ missing|default('z') }}
{{ missing.x }}
{{ missing['x'] }}
{{ d.missing.more }}
{{ missing + 'a' }}
{{ 'a' + 1 }}
{{ 1 + none }}
{{ 1 < 'a' }}
{{ 1 / 0 }}
{{ xs['a'] }}|{{ xs.foo }}|{{ d[1] }}
{{ 1 in 1 }}
{{ missing() }}
{{ text() }}
{{ [1,2][true] }} {{ 'abc'[1] }} {{ xs[1.0] }}
{{ 1 is number is string }}
""",
    "statements": r"""
{% if 0 %}a{% elif 1 %}b{% else %}c{% endif %}{% if '' %}x{% else %}y{% endif %}{% if empty %}x{% elif none %}z{% endif %}
{% for x in xs %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.previtem }}{{ loop.nextitem }};{% endfor %}
{% for x in empty %}x{% else %}none{% endfor %}{% for x in missing %}x{% else %}none{% endfor %}
{% for x in xs if x > 1 %}{{ loop.index }}/{{ loop.length }}={{ x }} {% else %}none{% endfor %}
{% for x in xs if x > 9 %}{{ x }}{% else %}none{% endfor %}
{% for k, v in d.items() %}{{ k }}={{ v }} {% endfor %}{% for k in d %}{{ k }} {% endfor %}{% for c in 'aé🌍' %}[{{ c }}]{% endfor %}
{% for a, (b, c) in [(1, (2, 3)), [4, [5, 6]]] %}{{ a }}{{ b }}{{ c }} {% endfor %}
{% for x in xs %}{% for y in xs %}{{ loop.index }}{{ x }}{{ y }} {% endfor %}{{ loop.index }};{% endfor %}
{% for x in xs %}{{ loop.cycle('a', 'b') }}{% endfor %}{{ loop }}
{% for x in range(10) %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 5 %}{% break %}{% endif %}{{ x }}{% endfor %}
{% set x = 0 %}{% for i in xs %}{{ x }}{% set x = x + i %}{{ x }} {% endfor %}{{ x }}
{% set ns = namespace(x=0, y='a') %}{% for i in xs %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}{{ ns.y }}{{ ns.z }}
{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a }}{{ ns['b'] }}
{% if true %}{% set x = 1 %}{% endif %}{{ x }}
{% for i in xs %}{% set y = i %}{% endfor %}{{ y is defined }}
{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set a = (3, 4) %}{{ a }}{% set c = 1, %}{{ c }}
{% set x %}a{{ 1 }}b{% endset %}{{ x }}{% set x | upper | trim %} abc {% endset %}[{{ x }}]
{% set ns = namespace() %}{% set ns.x %}abc{% endset %}{{ ns.x }}
{% macro m(a, b='B', c=a) %}({{ a }},{{ b }},{{ c }}){% endmacro %}{{ m(1) }}{{ m(1, 2) }}{{ m(b=5, a=4) }}{{ m() }}{{ m(1)|upper }}
{% macro fact(n) %}{% if n <= 1 %}1{% else %}{{ n * (fact(n - 1)|int) }}{% endif %}{% endmacro %}{{ fact(5) }}
{% set g = 1 %}{% macro m() %}{{ g }}{% set g2 = 5 %}{% endmacro %}{% set g = 2 %}{{ m() }}{{ g2 is defined }}
{% macro m(x) %}{% for i in range(x) %}{{ i }}{% endfor %}{% endmacro %}{% for j in [1, 2] %}{{ m(j) }};{% endfor %}
{% macro m(a) %}x{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}x{% endmacro %}{{ m(b=2) }}
{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}{{ a is defined }}
{% with %}{% set a = 1 %}{{ a }}{% endwith %}{{ a }}
{% filter upper %}abc{{ text }}{% endfilter %}{% filter replace('a', 'b')|trim %} banana {% endfilter %}
{{ range(3)|list }}{{ range(1, 4)|list }}{{ range(5, 0, -2)|list }}{% for i in range(0) %}x{% endfor %}
{{ dict(a=1, b=2) }}{{ dict({'a': 1}, c=3) }}
{% set add_generation_prompt = false %}{{ add_generation_prompt }}
{% if not add_generation_prompt is defined %}a{% endif %}{% if missing is not defined %}b{% endif %}
{{ raise_exception('no') }}
{% if false %}{{ raise_exception('no') }}{% endif %}ok
{% for x in 5 %}{% endfor %}
{% for a, b in xs %}{% endfor %}
{% set x.y = 1 %}
{% if %}{% endif %}
{% if true %}a
{% endif %}
{% else %}
{% unknown %}
{{ }}
{{ 1
{% for x in xs recursive %}{% endfor %}{{ 'x' * 3
{{ 'abc }}
{# never closed
{% set loop = 5 %}{{ loop }}{% for x in xs %}{{ loop.index }}{% endfor %}{{ loop }}
{% for x in xs %}{{ x }}{% if loop.last %}.{% else %}, {% endif %}{% endfor %}
{% set content = 'x' %}{% for m in messages %}{% set content = m.content %}{% endfor %}{{ content }}
{% for x in xs %}{% macro m() %}{{ x }}{% endmacro %}{{ m() }}{% endfor %}
{% set ns = namespace(l=[]) %}{% for x in xs %}{% set ns.l = ns.l + [x * 2] %}{% endfor %}{{ ns.l }}
{% set x = 1 if false else 2 %}{{ x }}{% for i in [1] if true %}{{ i }}{% endfor %}
""",
    "filters": r"""
{{ '  a b '|trim }}|{{ 'xxaxx'|trim('x') }}|{{ missing|trim }}|{{ 1|trim }}
{{ 'Ab é ß'|upper }} {{ 'AB É'|lower }} {{ 'hELLO wORLD'|capitalize }} {{ 'hello big-world (abc) it\\'s'|title }} {{ 'éa b'|title }}
{{ xs|length }} {{ text|length }} {{ 'aé🌍'|length }} {{ d|count }} {{ missing|length }}
{{ 5|length }}
{{ xs|join }} {{ xs|join(', ') }} {{ people|join('/', attribute='name') }} {{ 'abc'|join('-') }} {{ [1, none, 'a']|join(',') }}
{{ d|tojson }} {{ messages[2]|tojson }} {{ 'é "q" \\\\ \\n \\x01 \\x7f </'|tojson }} {{ none|tojson }} {{ 1.0|tojson }} {{ [1, (2, 3)]|tojson }} {{ true|tojson }} {{ 1e100|tojson }} {{ {1: 2, none: 3, true: 4}|tojson }}
{{ nested|tojson(indent=2) }} {{ []|tojson(indent=2) }} {{ {}|tojson(indent=2) }} {{ d|tojson(separators=(',', ':')) }} {{ d|tojson(sort_keys=true) }} {{ d|tojson(indent=4, separators=(',', ': ')) }} {{ [[]]|tojson(indent=1) }} {{ [1,2]|tojson(indent=0) }}
{{ missing|tojson }}
{{ missing|default('x') }} {{ ''|default('x') }}| {{ ''|default('x', true) }} {{ none|default('x') }} {{ none|default('x', boolean=true) }} {{ missing|d }}| {{ nested.zz|default([]) }}
{{ xs|first }} {{ xs|last }} {{ empty|first }}| {{ 'abc'|first }} {{ 'abc'|last }} {{ d|first }} {{ empty|last is defined }}
{{ 'abc'|list }} {{ d|list }} {{ (1, 2)|list }} {{ missing|list }}
{{ d|items|list }} {% for k, v in d|items %}{{ k }}{{ v }}{% endfor %} {{ missing|items|list }}
{{ messages|selectattr('role', 'equalto', 'user')|list|length }} {{ messages|selectattr('tool_calls', 'defined')|map(attribute='role')|list }} {{ messages|rejectattr('role', 'in', ['user', 'system'])|map(attribute='content')|join }} {{ messages|selectattr('tool_calls')|list|length }}
{{ xs|select('odd')|list }} {{ xs|reject('gt', 1)|list }} {{ [0, 1, '', 'a']|select|list }} {{ [0, 1]|reject|list }} {{ xs|select('>=', 2)|list }}
{{ words|map('upper')|list }} {{ people|map(attribute='age')|list }} {{ people|map(attribute='age', default=0)|list }} {{ [' a ']|map('trim')|first }} {{ nested.a.b|map(attribute='c')|list }} {{ ['a-b']|map('replace', '-', '+')|list }} {{ [[1, 2]]|map('join', ',')|list }} {{ [nested]|map(attribute='a.b.0.c')|list }}
{{ text|replace('l', 'L') }} {{ text|replace('l', 'L', 1) }} {{ 'abc'|replace('', '-') }} {{ 'aaa'|replace('aa', 'b') }}
{{ lines|indent }}|{{ lines|indent(2, true) }}|{{ lines|indent(1, true, true) }}|{{ lines|indent(width='> ') }}|{{ ''|indent }}|{{ 'a'|indent }}
{{ 1|string }} {{ none|string }} {{ [1]|string }} {{ 1.0|string }} {{ missing|string }}|
{{ '42'|int }} {{ ' 7 '|int }} {{ 'x'|int }} {{ 'x'|int(5) }} {{ 3.9|int }} {{ '3.9'|int }} {{ true|int }} {{ none|int }} {{ '-3'|int }} {{ '+3'|int }} {{ '1.5'|float }} {{ 'x'|float }} {{ 2|float }} {{ 'x'|float(1.5) }}
{{ words|sort }} {{ words|sort(case_sensitive=true) }} {{ words|sort(reverse=true) }} {{ xs|sort }} {{ people|sort(attribute='name')|map(attribute='name')|list }} {{ d|sort }}
{{ words|unique|list }} {{ words|unique(case_sensitive=true)|list }} {{ [1, 1.0, 2, 1]|unique|list }} {{ people|unique(attribute='name')|list|length }}
{{ d|dictsort }} {{ d|dictsort(by='value', reverse=true) }} {{ d|dictsort(case_sensitive=true) }}
{{ xs|max }} {{ xs|min }} {{ words|max }} {{ words|min }} {{ empty|max }}| {{ xs|sum }} {{ xs|sum(start=10) }} {{ [{'a': 1}, {'a': 2}]|sum(attribute='a') }}
{{ xs|reverse|list }} {{ 'abc'|reverse }} {{ -5|abs }} {{ 2.5|round }} {{ 3.5|round }} {{ 2.567|round(2) }} {{ 2.1|round(method='ceil') }} {{ 2.9|round(0, 'floor') }} {{ 3|round }}
{{ html|e }} {{ html|escape }} {{ 'x'|safe }} {{ '<'|safe + html + '>' }} {{ html + '<b>'|safe }} {{ html|e|e }} {{ '<'|safe ~ '>' }}
{{ none|selectattr('x')|list }} {{ none|map('upper')|list }} {{ ''|select|list }} {{ missing|reject|list }} {{ 0|rejectattr('x')|list }}
{{ 'é 🌍 \\x7f'|tojson(ensure_ascii=true) }} {{ {'ü': 1}|tojson(true) }}
{{ 1|map('upper')|list }}
{% if messages|selectattr('role', 'equalto', 'nobody') %}always{% endif %}{% if messages|selectattr('role', 'equalto', 'nobody')|list %}never{% endif %}
{{ (messages|selectattr('role', 'equalto', 'user')|list)[0].content|trim }} {{ (xs|sort)[0] }} {{ xs|sort|first }} {{ messages|map(attribute='role')|join(' ') }}
{{ xs|map('string')|join }}{{ xs|select('odd')|length }}
{{ words|nosuchfilter }}
{{ words|join(a=1) }}
{{ words|map('nosuch')|list }}
{{ people|sort(attribute='age') }}
{{ [1, 'a']|sort }}
""",
    "tests": r"""
{{ missing is defined }} {{ xs is defined }} {{ missing is undefined }} {{ nothing is none }} {{ nothing is not none }} {{ d.missing is defined }} {{ d.one is defined }}
{{ 'a' is string }} {{ 1 is string }} {{ d is mapping }} {{ xs is mapping }} {{ xs is iterable }} {{ 'a' is iterable }} {{ 1 is iterable }} {{ d is iterable }} {{ missing is iterable }}
{{ xs is sequence }} {{ 'a' is sequence }} {{ d is sequence }} {{ 1 is sequence }} {{ none is sequence }} {{ (1,) is sequence }}
{{ 1 is number }} {{ 1.5 is number }} {{ true is number }} {{ 'a' is number }} {{ 1 is integer }} {{ true is integer }} {{ 1.0 is integer }} {{ 1.0 is float }} {{ 1 is float }}
{{ true is boolean }} {{ 1 is boolean }} {{ true is true }} {{ 1 is true }} {{ false is false }} {{ 0 is false }} {{ none is false }}
{{ 1 is odd }} {{ 2 is even }} {{ -3 is odd }} {{ 9 is divisibleby 3 }} {{ 9 is divisibleby(2) }} {{ 1 is eq 1 }} {{ 1 is equalto(2) }} {{ 1 is ne 2 }} {{ 1 is lt 2 }} {{ 1 is ge(1) }} {{ 2 is gt 3 }} {{ 1 is le 1 }} {{ 1 is sameas 1 }} {{ true is sameas 1 }}
{{ 1 is in xs }} {{ 9 is not in xs }} {{ 9 is not in(xs) }} {{ 'one' is in d }}
{{ 'abc' is lower }} {{ 'ABC' is upper }} {{ 'aBC' is upper }} {{ '1' is lower }} {{ raise_exception is callable }} {{ 1 is callable }} {{ text.strip is callable }}
{{ 'yes' if 'a' is string else 'no' }} {{ 'a' is string and 1 is number }} {{ not 'a' is string or true }} {{ ('a' is string) == true }}
{{ 1 is nosuchtest }}
{{ 1 is divisibleby }}
""",
    "methods": r"""
{{ '  a '.strip() }}|{{ ' a '.lstrip() }}|{{ ' a '.rstrip() }}|{{ 'xyaxy'.strip('yx') }}|{{ '\\n\\na\\n'.strip('\\n') }}|{{ '\u00a0a\u00a0'.strip() }}|{{ 'éaé'.strip('é') }}
{{ 'a b  c'.split() }} {{ 'a,b,,c'.split(',') }} {{ 'a,b,c'.split(',', 1) }} {{ 'abc'.split('x') }} {{ ' a  b c '.split(none, 1) }} {{ 'a,b,c'.rsplit(',', 1) }} {{ ''.split() }} {{ ''.split(',') }} {{ ' a b  c '.rsplit(none, 1) }} {{ ' a b '.split(maxsplit=0) }} {{ ' a b '.rsplit(maxsplit=0) }}
{{ '<think>x</think>y'.split('</think>')[-1] }} {{ 'a\\nb\\r\\nc\\n'.splitlines() }}
{{ text.startswith('Hello') }} {{ text.endswith('x') }} {{ text.startswith(('x', 'He')) }} {{ ''.startswith('') }}
{{ text.upper() }} {{ text.lower() }} {{ 'heLLO wORLD it\\'s'.title() }} {{ 'heLLO'.capitalize() }} {{ 'ÉA'.capitalize() }} {{ ''.title() }}|{{ 'user'.title() }}
{{ text.replace('l', 'L') }} {{ text.replace('l', 'L', 1) }} {{ text.find('big') }} {{ text.find('zzz') }} {{ 'éé!'.find('!') }} {{ text.count('l') }} {{ ', '.join(['a', 'b']) }} {{ text.rfind('l') }} {{ 'abc'.count('') }}
{{ '12'.isdigit() }} {{ '1a'.isdigit() }} {{ ''.isdigit() }} {{ 'abc'.isalpha() }} {{ 'a1'.isalnum() }} {{ ' '.isspace() }} {{ 'AB'.isupper() }} {{ 'ab1'.islower() }} {{ 'abc'.removeprefix('a') }} {{ 'abc'.removesuffix('bc') }}
{{ d.items()|list }} {{ d.keys()|list }} {{ d.values()|list }} {{ d.get('one') }} {{ d.get('x') }} {{ d.get('x', 'y') }} {% for k, v in d.items() %}{{ k }}{{ v }}{{ loop.last }}{% endfor %}
{{ messages[2].tool_calls[0].arguments.items()|list }} {{ messages[0].get('tool_calls') is none }} {{ d.items()|length }}
{{ xs.index(1) }} {{ xs.count(3) }}
{{ 'a'.nosuch() }}
{{ xs.nosuch() }}
{{ 'a'.split('') }}
{{ 'a'.strip(1) }}
{{ ','.join([1]) }}
{{ d['items'] is callable }} {{ {'items': 5}['items'] }} {{ {'items': 5}.items is callable }} {{ {'content': 5}.content }}
""",
}


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def render(source):
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols])
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    try:
        return environment.from_string(source).render(**VARIABLES)
    except Exception:
        return None


cases = {}
for group, lines in GROUPS.items():
    sources = [line.encode("latin-1", "backslashreplace").decode("unicode-escape") for line in lines[1:-1].split("\n")]
    cases[group] = [{"template": source, "text": render(source)} for source in sources]
origin = f"jinja2 {jinja2.__version__}, ImmutableSandboxedEnvironment with trim_blocks, lstrip_blocks and loopcontrols"
print(json.dumps({"origin": origin, "variables": VARIABLES, "cases": cases}, ensure_ascii=False, indent=1))
