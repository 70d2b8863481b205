"""What Jinja itself makes of small templates: writes expressions.jsonl beside this file.

Needs jinja2 3.1.6 (Python 3.11). The environment is the one that transformers gives to chat templates. A line has `template` and `text`, or
`error` where Jinja raises (what matters is that it does, not the words); `data` is the caller's value in all of them.
"""
import datetime, json, os
import jinja2, jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

DATA = {"role": "user", "content": "  Hello, 世界!\n", "n": 5, "x": 2.5, "yes": True, "no": False, "null": None, "list": ["b", "a", "C"],
        "numbers": [3, 1, 2], "people": [{"name": "Ann", "age": 30, "city": {"id": "p"}}, {"name": "bob", "age": 25, "city": {"id": "q"}},
                                         {"name": "Cid", "age": 30, "city": {"id": "p"}}], "empty": "", "nested": {"a": {"b": [1, {"c": "deep"}]}}, "items": "shadowed", "_own": "plain"}


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    def _body(self, caller): return caller()


def environment():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])

    def raise_exception(message): raise jinja2.exceptions.TemplateError(message)
    env.filters["tojson"] = lambda x, ensure_ascii=False, indent=None, separators=None, sort_keys=False: json.dumps(
        x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda format: datetime.datetime(2024, 7, 6, 9, 5, 3).strftime(format)
    return env


# One expression a line: put between {{ and }}.
EXPRESSIONS = r"""
1 + 2 * 3
(1 + 2) * 3
2 ** 3 ** 2
-2 ** 2
- 3 + 1
+5
--5
7 / 2
6 / 2
7 // 2
-7 // 2
7 // -2
7 % 3
-7 % 3
7 % -3
7.5 // 2
-7.5 // 2
7.5 % 2
-7.5 % 2
7.5 % -2
2 ** -1
2 ** 0.5
2.0 ** 3
0 ** 0
(-1) ** 3
10 ** 20
10 ** 30
1 / 0
1 // 0
1 % 0
1.0 / 0
0.1 + 0.2
1e16
1e15
123456789012345678
1e22
1.5e300 * 1e10
1e-4
1e-5
0.00001234
1e100
5e-324
1.7976931348623157e308
9007199254740993.0
9007199254740992.0
12345678901234567890.0
100000000000000000000.0
-0.0
1_000_000
1_0.5
0x1F
0b101
0o17
0xff_ff
1e3
1E3
1.5e+3
3.0
.5
true + 1
true * 3
true == 1
1 == 1.0
'a' == 'a'
none == none
none == false
[] == []
[1] == (1,)
(1, 2) == (1, 2)
{} == {}
{'a': 1, 'b': 2} == {'b': 2, 'a': 1}
{'a': 1} == {'a': 1.0}
1 < 2 < 3
1 < 3 < 2
1 < 2 == true
'a' < 'b'
'B' < 'a'
'ab' < 'abc'
[1, 2] < [1, 3]
(1,) < (1, 2)
1 < 1.5
1 <= true
'a' < 1
none < 1
[1] < 1
1 in [1, 2]
1.0 in [1, 2]
'a' in 'abc'
'' in 'abc'
1 in 'abc'
'a' in ['abc']
'a' in {'a': 1}
1 in {1.0: 'x'}
1 in none
'a' not in 'bcd'
not 'a' in 'bcd'
not true
not not 5
not ''
'' or 'x'
'y' or 'x'
0 or [] or {}
1 and 2
0 and 2
1 and '' and 3
'a' if true else 'b'
'a' if false else 'b'
'a' if false
('a' if false) is undefined
'a' if false else 'b' if false else 'c'
1 if 0 else 2 if 1 else 3
'a' ~ 1 ~ none ~ true ~ 1.5 ~ [1]
'a' ~ missing ~ 'b'
1 + 2 ~ 3 + 4
'x' ~ 2 * 3
'ab' * 3
3 * 'ab'
'ab' * 0
'ab' * -1
[1] * 3
[1] + [2]
(1,) + (2,)
[1] + (2,)
'a' + 'b' 'c'
'a' 'b'
'a' + 1
1 + 'a'
'a' - 'b'
none + 1
missing + 1
missing
missing.attribute
missing['x']
missing[0]
missing()
missing | length
missing | list
missing | upper
missing | join
missing | default('d')
missing | default
missing is defined
missing == missing
missing == none
missing < 1
-missing
not missing
missing and 1
missing or 1
missing | tojson
missing | int
missing | string | length
'x' in missing
data.missing is defined
data.missing | default('d')
data.missing.deeper
data['missing'] is undefined
data.role
data['role']
data.items is string
data['items']
data.nested.a.b[1].c
data.nested['a']['b'][-1]['c']
data.list[0]
data.list.0
data.list[-1]
data.list[10] is defined
data.list['x'] is defined
data.role.x is defined
data.n.x is defined
data.null.x is defined
none.x
none.x.y
5[0]
'abc'[0]
'abc'[-1]
'abc'[3] is defined
'abc'['upper']()
'abc'[1:]
'abc'[:-1]
'abc'[:]
'abc'[::-1]
'abcdef'[1:5:2]
'abcdef'[5:1:-2]
'abcdef'[-3:]
'abcdef'[:-3]
'abcdef'[10:]
'abcdef'[-10:2]
'abcdef'[2:1]
'abcdef'[::0]
'中文字符'[1:3]
'中文字符'[::-1]
'a🙂b'[1]
'a🙂b' | length
[1, 2, 3, 4][1:3]
[1, 2, 3, 4][::-2]
(1, 2, 3)[1:]
[1, 2, 3][:none]
[1, 2, 3][none:2]
[1, 2, 3]['a':]
{'a': 1}[1:] is defined
data.n[1:]
data.nested[1:]
'{:5}|{:,}|{:d}|{}'.format(true, false, true, true)
'{:5}'.format([1])
'{:5}'.format(none)
'{:,}'.format('a')
'{:}'.format([1])
range(4).index(2)
none | map('upper') | list
none | selectattr('x') | list
0 | select | list
false | rejectattr('x', 'equalto', 1) | list
5 | map('upper') | list
'%r|%s' % (missing, missing)
'%d' % missing
'{}|{!r}'.format(missing, missing)
'abc' % [1, 2]
'abc' % {'a': 1}
'abc' % 1
range(5)[1:3] | list
range(5)[-1]
[]
()
(1)
(1,)
(1, 2)
1, 2
{}
{'a': 1, 'b': [1, 2.0, none, true], 'c': {'d': (1,)}}
{1: 'a', none: 'b', true: 'c', 1.5: 'd', (1, 2): 'e'}
{'a': 1, 'a': 2}
{1: 'a', 1.0: 'b', true: 'c'}
{[1]: 2}
['a', "b'c", 'd"e', 'f\'g"h']
['\n\t\r\\', '\x00\x7f', '\u00a0', '\u200b', '中', '🙂', '\ue000', '\u2028', 'é']
'a\tb\\n\'c\''
"\x41\u4e2d\U0001f642\101\a\b\f\v" | tojson
'\q\d'
'multi\
line'
[1.0, 1e20, 1e-7, -0.0]
[missing]
[none, true, false]
data.people | map(attribute='name') | list
data.people | map(attribute='city.id') | list
data.people | map(attribute='missing') | list
data.people | map(attribute='missing', default='d') | list
data.people | map(attribute='name') | map('upper') | list
data.people | map('length') | list
data.people | map('tojson') | list
data.list | map('replace', 'a', 'x') | list
[[1, 2], [3, 4]] | map(attribute=0) | list
[[1, 2], [3, 4]] | map('last') | list
[1.5, 2.5] | map('round') | list
[1, 2] | map('nosuch') | list
data.people | selectattr('age', 'equalto', 30) | map(attribute='name') | list
data.people | selectattr('age', '>', 26) | map(attribute='name') | list
data.people | selectattr('city.id', 'eq', 'q') | list | length
data.people | selectattr('age') | list | length
data.people | selectattr('missing') | list | length
data.people | selectattr('missing', 'defined') | list | length
data.people | selectattr('missing', 'undefined') | list | length
data.people | rejectattr('age', 'equalto', 30) | map(attribute='name') | list
data.people | rejectattr('missing') | list | length
data.people | selectattr('name', 'in', ['Ann', 'Cid']) | list | length
[1, 2, 3, 4] | select('even') | list
[1, 2, 3, 4] | select('gt', 2) | list
[1, 2, 3, 4] | select('divisibleby', 3) | list
[0, 1, '', 'a', none] | select | list
[0, 1, '', 'a', none] | reject | list
[1, 'a', 2.0] | select('string') | list
[1, 'a', 2.0] | reject('number') | list
['a', 'b'] | reject('equalto', 'a') | list
['a', 'b'] | reject('in', ['b']) | list
[1] | select('nosuch') | list
([] | select) is true
(([] | select) and 'yes') == 'yes'
data.list | sort
data.list | sort(case_sensitive=true)
data.list | sort(reverse=true)
data.people | sort(attribute='age') | map(attribute='name') | join(',')
data.people | sort(attribute='age,name') | map(attribute='name') | join(',')
data.people | sort(attribute='age', reverse=true) | map(attribute='name') | join(',')
[3, 1.5, 2] | sort
[1, 'a'] | sort
[[2, 'b'], [1, 'c'], [1, 'a']] | sort
{'b': 1, 'a': 2} | sort
data.list | unique | list
['a', 'A', 'b'] | unique | list
['a', 'A', 'b'] | unique(true) | list
[1, 1.0, true, 2] | unique | list
data.people | unique(attribute='age') | map(attribute='name') | list
{'b': 1, 'A': 3, 'c': 2} | dictsort
{'b': 1, 'A': 3, 'c': 2} | dictsort(true)
{'b': 1, 'A': 3, 'c': 2} | dictsort(false, 'value')
{'b': 1, 'A': 3, 'c': 2} | dictsort(reverse=true)
{'b': 1, 'a': 2} | items | list
missing | items | list
[1] | items | list
data.numbers | min
data.numbers | max
data.list | min
data.list | max
data.people | max(attribute='age')
[] | min is defined
[] | max
data.numbers | sum
data.people | sum(attribute='age')
[1.5, 2] | sum
[[1], [2]] | sum(start=[])
['a'] | sum
[1, 2, 3, 4, 5] | batch(2) | list
[1, 2, 3, 4, 5] | batch(2, 'x') | list
[1, 2, 3, 4, 5] | slice(2) | list
[1, 2, 3, 4, 5] | slice(3, 'x') | list
data.people | groupby('age') | length
data.people | groupby('city.id') | map('first') | list
'abc' | first
[] | first is defined
'abc' | last
[1, 2] | last
[] | last
'abc' | reverse
[1, 2, 3] | reverse | list
{'a': 1, 'b': 2} | list
'abc' | list
5 | list
none | list
[1, 2] | join
[1, 'a', none] | join('-')
data.people | join(', ', attribute='name')
'abc' | join('.')
{'a': 1, 'b': 2} | join(',')
[1, 2] | length
'中文' | length
{'a': 1} | count
5 | length
none | length
(x for x)
[1, 2] | map('string') | length
'Hello World' | upper
'Hello World' | lower
'hello wORLD-foo (bar) [x' | title
"it's o'clock" | title
'hELLO wORLD' | capitalize
'ß' | upper
'ǆabc' | capitalize
'ΑΣ ΑΣΑ Σ' | lower
'İ' | lower | length
5 | upper
'  x ' | trim
'xxaxx' | trim('x')
'xyaxy' | trim('yx')
5 | trim
data.content | trim
'a-b-c' | replace('-', '+')
'aaa' | replace('a', 'b', 2)
'abc' | replace('', '-')
123 | replace(2, 'x')
'a b' | center(9)
'abcd' | center(9)
'ab' | center(1)
'one\ntwo\n\nthree' | indent
'one\ntwo\n\nthree' | indent(2, true)
'one\ntwo\n\nthree' | indent(2, blank=true)
'one\ntwo' | indent('> ', first=true)
'one' | indent(first=true)
'' | indent
'one two three four' | truncate(10)
'one two three four' | truncate(10, true)
'one two three four' | truncate(10, leeway=0)
'one two three four' | truncate(10, true, '…', 0)
'one two' | truncate(100)
'one two, three_four 5' | wordcount
'%s and %s' | format('a', 1)
'%(x)s' | format(x=5)
'<a href="x">\'&' | e
'<b>' | escape | length
'<b>' | safe
5 | string ~ 'x'
none | string
[1, 'a'] | string
1.0 | string
'12' | int
' 12 ' | int
'-12' | int
'+12' | int
'1_000' | int
'12.7' | int
'1e3' | int
'abc' | int
'abc' | int(7)
'' | int
'0x1f' | int(base=16)
'1f' | int(0, 16)
'101' | int(base=2)
'0b101' | int(base=2)
12.9 | int
-12.9 | int
true | int
none | int
[1] | int
'1.5' | float
'abc' | float
'abc' | float(2.5)
'1e400' | float
'nan' | float
'-inf' | float
'.5' | float
'5.' | float
'0x10' | float
none | float
3 | float
true | float
-3 | abs
-3.5 | abs
'a' | abs
2.5 | round
3.5 | round
2.675 | round(2)
1.005 | round(2)
0.15 | round(1)
0.25 | round(1)
1234.5 | round(-2)
2.1 | round(method='ceil')
2.9 | round(method='floor')
2.123 | round(2, 'ceil')
2.129 | round(2, 'floor')
42 | round
42 | round(1)
1e300 | round(2)
123456.789 | round(1)
'' | default('d')
'' | default('d', true)
false | default('d')
false | d('d', boolean=true)
none | default('d')
0 | default('d', true)
'x' | attr('upper') is defined
data | attr('role') is defined
'a' | nosuchfilter
1 is defined
x is not defined
1 is number
1.5 is number
true is number
'1' is number
1 is integer
true is integer
1.0 is integer
1.0 is float
true is boolean
1 is boolean
'a' is string
1 is string
none is string
none is none
0 is none
missing is none
false is false
0 is false
true is true
1 is true
[] is sequence
'a' is sequence
{} is sequence
1 is sequence
(1,) is sequence
range(2) is sequence
missing is sequence
{} is mapping
[] is mapping
'a' is iterable
[] is iterable
{} is iterable
1 is iterable
none is iterable
missing is iterable
range is callable
'a' is callable
'a'.upper is callable
4 is even
4 is odd
5 is odd
4.0 is even
'a' is even
9 is divisibleby 3
9 is divisibleby(4)
'abc' is lower
'ABC' is lower
'123' is lower
'ABC' is upper
1 is eq 1
1 is equalto 2
1 is ne 2
1 is lt 2
1 is lessthan 2
2 is ge 2
2 is gt 2
2 is greaterthan 1
1 is in [1, 2]
3 is in [1, 2]
3 is not in [1, 2]
1 is sameas 1
1 is sameas true
none is sameas none
'a' is escaped
'upper' is filter
'nosuch' is filter
'even' is test
1 is nosuchtest
not x is defined
x is defined or true
1 is string or 'a' is string
[1] is sequence and 'a' is not mapping
'abc'.upper()
'ABC'.lower()
'hello world'.title()
"it's me".title()
'hELLO'.capitalize()
'aBc'.swapcase()
'ß'.upper()
'ß'.casefold()
' x '.strip()
' x '.lstrip()
' x '.rstrip()
'\n\t x\u3000\u00a0'.strip()
'xxaxx'.strip('x')
'xyaxy'.strip('xy')
'xxaxx'.lstrip('x')
'xxaxx'.rstrip('x')
' x '.strip(none)
'a b  c'.split()
' a b '.split()
'a,b,c'.split(',')
'a,b,c'.split(',', 1)
'a,b,c'.split(',', maxsplit=1)
'a b c'.split(none, 1)
' a b c '.split(none, 1)
'a,,b'.split(',')
''.split(',')
''.split()
'abc'.split('')
'abc'.split('abc')
'aXXbXXc'.split('XX')
'aXXXb'.split('XX')
'a,b,c'.rsplit(',', 1)
'a b c'.rsplit(none, 1)
'aXXXb'.rsplit('XX', 1)
'a\nb\r\nc\rd'.splitlines()
'a\nb\n'.splitlines()
'a\nb\n'.splitlines(true)
'\n'.splitlines()
''.splitlines()
'abc'.startswith('ab')
'abc'.startswith(('x', 'a'))
'abc'.startswith('b', 1)
'abc'.startswith('')
'abc'.startswith(1)
'abc'.startswith(['a'])
'abc'.endswith('bc')
'abc'.endswith(('x', 'c'))
'abc'.endswith('b', 0, 2)
'aXbX'.replace('X', '-')
'aXbX'.replace('X', '-', 1)
'aXbX'.replace('X', '')
'abc'.replace('', '.')
'abc'.replace('', '.', 2)
'abc'.replace('b', 1)
'abcabc'.find('ca')
'abcabc'.find('x')
'abcabc'.rfind('a')
'abcabc'.find('a', 1)
'abcabc'.find('a', 1, 3)
'abcabc'.find('')
'abcabc'.rfind('')
'abc'.index('c')
'abc'.index('x')
'aabaa'.count('a')
'aaaa'.count('aa')
'abc'.count('')
'a-b-c'.partition('-')
'a-b-c'.rpartition('-')
'abc'.partition('-')
'abc'.rpartition('-')
'prefix-x'.removeprefix('prefix-')
'x-suffix'.removesuffix('-suffix')
'x'.removesuffix('')
'-'.join(['a', 'b'])
'-'.join('abc')
'-'.join([1, 2])
''.join([])
'ab'.center(5)
'abc'.center(6)
'ab'.center(5, '*')
'ab'.ljust(5) ~ '|'
'ab'.rjust(5)
'ab'.rjust(5, '中')
'7'.zfill(3)
'-7'.zfill(4)
'abc'.zfill(2)
'a\tb'.expandtabs(4) | length > 0
'abc'.isalpha()
'ab1'.isalpha()
'中文'.isalpha()
'ab1'.isalnum()
'12'.isdigit()
'²'.isdigit()
'²'.isdecimal()
'½'.isnumeric()
'一'.isnumeric()
''.isdigit()
' \n'.isspace()
''.isspace()
'Abc Def'.istitle()
'Abc def'.istitle()
'abc'.islower()
'aBc'.islower()
'ABC1'.isupper()
'abc'.isascii()
'é'.isascii()
''.isascii()
'abc'.nosuch
'abc'.nosuch()
'{} {}'.format(1, 'x')
'{0} {1} {0}'.format('a', 'b')
'{x}-{y}'.format(x=1, y=[1])
'{{}}'.format()
'{:>5}|{:<5}|{:^5}'.format('a', 'b', 'c')
'{:*>5}'.format('a')
'{:5}|'.format('ab')
'{:5}|'.format(12)
'{:05}'.format(42)
'{:05}'.format(-42)
'{:+}'.format(42)
'{:,}'.format(1234567)
'{:_}'.format(1234567)
'{:,.2f}'.format(1234567.891)
'{:.2f}'.format(3.14159)
'{:.0f}'.format(2.5)
'{:8.3f}|'.format(3.14159)
'{:e}'.format(12345.678)
'{:.2e}'.format(0.00012345)
'{:g}'.format(0.0001)
'{:g}'.format(1234567.0)
'{:g}'.format(100000.0)
'{:.3g}'.format(2.0)
'{:%}'.format(0.256)
'{:.1%}'.format(0.256)
'{:x}'.format(255)
'{:#x}'.format(255)
'{:b}'.format(5)
'{:o}'.format(8)
'{:X}'.format(255)
'{:d}'.format(5)
'{:d}'.format('a')
'{:s}'.format(5)
'{:.2}'.format('abc')
'{!r}'.format('a')
'{!s:>4}'.format(1)
'{}'.format(none)
'{}'.format(1.0)
'{}'.format(1e20)
'{}'.format([1, 'a'])
'{}'.format()
'{'.format()
'}'.format()
'{x}'.format()
'%s' % 'a'
'%s-%s' % ('a', 'b')
'%s' % none
'%s' % 1.0
'%s' % [1, 'a']
'%r' % 'a'
'%d' % 5
'%d' % 5.9
'%d' % 'a'
'%i' % true
'%5d|' % 42
'%-5d|' % 42
'%05d' % 42
'%05d' % -42
'%+d' % 42
'% d' % 42
'%x' % 255
'%X' % 255
'%#x' % 255
'%o' % 8
'%f' % 3.14159
'%.2f' % 3.14159
'%.0f' % 2.5
'%.0f' % 3.5
'%8.2f|' % 3.14159
'%-8.2f|' % 3.14159
'%08.2f' % -3.14159
'%e' % 12345.678
'%.3E' % 0.00012
'%g' % 0.00001
'%g' % 123456789.0
'%g' % 100.0
'%.10g' % 0.1
'%.20f' % 0.1
'%.30f' % 1e-10
'%.3f' % 1e22
'%f' % 1e300
'%c' % 'a'
'%c' % 65
'%%' % ()
'100%%' % ()
'%(a)s %(b)d' % {'a': 1, 'b': 2}
'%(a)s' % {'b': 1}
'%5s|%-5s|' % ('a', 'b')
'%.2s' % 'abc'
'%s %s' % 'a'
'%s' % ('a', 'b')
'a' % ()
'a' % 'b'
'%s' % ()
'%y' % 1
'%' % 1
{'a': 1}.get('a')
{'a': 1}.get('b')
{'a': 1}.get('b', 2)
{'a': 1}.get()
{'a': 1, 'b': 2}.keys()
{'a': 1, 'b': 2}.values()
{'a': 1, 'b': 2}.items()
{'a': 1}.keys() | list
{'a': 1}.items() | list
{'a': 1}.items() | length
{'a': 1}.nosuch is defined
{'get': 1}.get is callable
{'get': 1}['get']
{'a': 1}.update({'b': 2})
{'a': 1}.pop('a')
{'a': 1}.copy()
[1, 2].index(2)
[1, 2].index(3)
[1, 2, 1].count(1)
(1, 2).index(2)
(1, 2).count(3)
data.list.append('x')
data.update({'x': 1})
1.5.is_integer()
dict(a=1, b=2)
dict([['a', 1], ['b', 2]])
dict({'a': 1}, b=2)
dict(a=1)['a']
range(3)
range(3) | list
range(1, 3) | list
range(10, 0, -3) | list
range(0) | list
range(3) | length
range(2, 10, 3)
range(0, 5, 0)
range('a')
range(100001)
2 in range(3)
namespace(a=1).a
namespace(a=1)
namespace({'a': 1}).a
namespace().b is defined
[1, 2] | tojson
{'a': 1, 'b': [1, none, true, 1.5]} | tojson
{'a': 1, 'b': [1, {'c': 2}]} | tojson(indent=2)
{'b': 1, 'a': {'d': 1, 'c': 2}} | tojson(sort_keys=true)
{'a': [1, 2]} | tojson(separators=(',', ':'))
{'a': [], 'b': {}} | tojson(indent=1)
{'a': 1} | tojson(indent='--')
[1, 2] | tojson(indent=0)
'中"\\\n\x01\x7f🙂' | tojson
'中"\\\n\x01\x7f🙂' | tojson(ensure_ascii=true)
'</script>&' | tojson
(1, 2) | tojson
{1: 2, none: 3, true: 4, 1.5: 6} | tojson
{(1,): 2} | tojson
range(2) | tojson
1e20 | tojson
1e-7 | tojson
nan | tojson
('nan' | float) | tojson
('inf' | float) | tojson
data | tojson
data
data.people[0] | tojson(indent=4)
data.null | tojson
range | tojson
strftime_now('%Y-%m-%d %H:%M:%S')
strftime_now('%d %b %Y')
strftime_now('%A, %B %d, %y %I:%M %p %j %a %e|%-d|%-m|%_d')
strftime_now('%U %W %w %u %C %D %F %T %R %%')
strftime_now('plain 中')
raise_exception('no')
''.__class__
''.__class__.__mro__
data.__class__.x
data._own
[].__len__()
range.__globals__.x
cycler('a', 'b').next()
joiner()() ~ 'x'
'a' is string and 'b' or 'c'
1 + 1 if true else 2
[1, 2, 3] | first + 1
-1 | abs
(-1) | abs
not 1 == 2
1 if 1 == 1 and 2 == 2 else 0
'a' in 'ab' and 'c' not in 'ab'
data.role == 'user' and data.n > 3 and not data.no
data.people | length - 1
data.people[data.people | length - 1].name
data.people[-1]['name'][0]
data.content.strip().split(',')[0]
(data.list + ['d'])[::-1] | join(' ') | upper
'a'.upper().lower().title()
{'a': {'b': 1}}['a']['b'] + 1
[[1, 2], [3]][0][1]
'x'.join(['a', 'b']) ~ 'y'
data.n * 2 + data.x
data.n // 2 * 2
(data.n)
data . role
data
  .role
"a" "b" ~ 'c'
{'a':1,}
[1,]
[1, 2
(1, 2
{'a' 1}
'abc
1 +
* 2
a b
a.
a[
a[1
1..2
x = 1
5 5
'a' 'b' 5
@
a ? b
$x
{'a': }
lambda x: x
a if
01
1__0
not
is defined
| upper
a |
a | 5
a is
a is 5
f(a=1, 2)
dict(**{'a': 1})
dict(**1)
range(*[1, 4]) | list
range(*5)
'{}{}'.format(*['a', 'b'])
'{a}'.format(**{'a': 1})
""".strip("\n")

# Whole templates, parted by lines of four dashes.
TEMPLATES = r"""
{% for i in range(3) %}{{ i }}{% endfor %}
----
{% for i in [] %}x{% else %}none{% endfor %}
----
{% for i in missing %}x{% else %}none{% endfor %}
----
{% for i in 5 %}x{% endfor %}
----
{% for a, b in [[1, 2], [3, 4]] %}{{ a }}{{ b }}{% endfor %}
----
{% for a, b in [[1, 2, 3]] %}{{ a }}{% endfor %}
----
{% for a, (b, c) in [[1, [2, 3]]] %}{{ a }}{{ b }}{{ c }}{% endfor %}
----
{% for k, v in {'a': 1}.items() %}{{ k }}{{ v }}{% endfor %}
----
{% for k in {'a': 1, 'b': 2} %}{{ k }}{% endfor %}
----
{% for i in [1, 2, 3, 4] if i is even %}{{ loop.index }}/{{ loop.length }}:{{ i }}{{ loop.last }} {% endfor %}
----
{% for i in [1, 2, 3] if i > 5 %}x{% else %}none{% endfor %}
----
{% for i in [1, 2, 3] %}{{ loop.previtem }}<{{ i }}>{{ loop.nextitem }} {% endfor %}
----
{% for i in [1, 1, 2] %}{% if loop.changed(i) %}{{ i }}{% endif %}{% endfor %}
----
{% for i in [1, 2, 3] %}{{ loop.cycle('a', 'b') }}{% endfor %}
----
{% for i in [1, 2] %}{% for j in [1, 2] %}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}
----
{% for i in [1, 2] %}{% set outer = loop %}{% for j in 'ab' %}{{ outer.index }}{{ j }}{{ outer.last }} {% endfor %}{% endfor %}
----
{% for i in [1, 2, 3] %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}
----
{% for i in [1, 2, 3] %}{% if i == 2 %}{% continue %}{% endif %}{{ i }}{% endfor %}
----
{% for i in [1, 2] %}{{ x is defined }}{% set x = 1 %}{% endfor %}{{ x is defined }}
----
{% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = x + 1 %}{{ x }}{% endfor %}{{ x }}
----
{% set x = 1 %}{% if true %}{% set x = 2 %}{% endif %}{{ x }}
----
{% set ns = namespace(x=0) %}{% for i in [1, 2, 3] %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}
----
{% set d = {} %}{% set d.x = 1 %}{{ d }}
----
{% set x.y = 1 %}
----
{% set a, b = 1, 2 %}{{ a }}{{ b }}
----
{% set a, b = [1] %}
----
{% set x %}a{{ 1 }}b{% endset %}{{ x }}{{ x | length }}
----
{% set x | upper %}a{{ 1 }}b{% endset %}{{ x }}
----
{% set x | replace('a', 'b') | upper %}a{% endset %}{{ x }}
----
{% set y = 1 %}{% set x %}{% set y = 2 %}{{ y }}{% endset %}{{ x }}{{ y }}
----
{% filter upper %}a{{ 'b' }}{% endfilter %}
----
{% filter trim | upper %}  a {% endfilter %}
----
{% set y = 1 %}{% filter upper %}{% set y = 2 %}{{ y }}{% endfilter %}{{ y }}
----
{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a is defined }}
----
{% set a = 1 %}{% with a = 2, b = a %}{{ a }}{{ b }}{% endwith %}{{ a }}
----
{% with %}{% set q = 1 %}{{ q }}{% endwith %}{{ q is defined }}
----
{% macro m(a, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }} {{ m(1, 3) }} {{ m(b=5, a=4) }} {{ m() }}
----
{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}
----
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}
----
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(c=2) }}
----
{% macro m(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, c=4) }}
----
{% macro m(n) %}{{ n }}{% if n > 0 %}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(3) }}
----
{% macro m() %}{{ x }}{% endmacro %}{% set x = 1 %}{{ m() }}
----
{% set x = 1 %}{% macro m() %}{% set x = 2 %}{{ x }}{% endmacro %}{{ m() }}{{ x }}
----
{% macro m() %}a{% endmacro %}{{ m() | upper }}{{ m() ~ 'b' }}{{ m() is string }}
----
{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}x{% endcall %}
----
{% macro m() %}{{ caller(1, 2) }}{% endmacro %}{% call(a, b) m() %}{{ a }}{{ b }}{% endcall %}
----
{% macro m() %}x{% endmacro %}{% call m() %}y{% endcall %}
----
{% macro m() %}{{ caller is defined }}{% endmacro %}{{ m() }}
----
{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}B{% endmacro %}{{ a() }}
----
{% for i in [1, 2] %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}
----
{% macro m(x) %}{% for i in x %}{{ i }}{{ loop.index }}{% endfor %}{% endmacro %}{{ m('ab') }}
----
{% macro m(x) %}{{ m.name }}{% endmacro %}{{ m.name }}
----
{% if false %}a{% elif true %}b{% else %}c{% endif %}
----
{% if missing %}a{% else %}b{% endif %}
----
{% if 1 == 1 and not 2 == 1 %}a{% endif %}
----
{% if true %}a
----
{% if %}a{% endif %}
----
{% endif %}
----
{% nosuch %}
----
{% for i in [1] %}a{% endif %}
----
{% for in [1] %}a{% endfor %}
----
{% set 1 = 2 %}
----
{% set none = 2 %}
----
{% set true = 2 %}
----
{% break %}
----
{{ 1
----
{{ 'a' }
----
{% raw %}{{ x }}{% endraw %}
----
{% raw %}{{ x }}
----
{%- raw -%}  {{ x }}  {%- endraw -%}  y
----
a{# comment #}b
----
a {#- comment -#} b
----
a{# unclosed
----
{# {{ x }} {% if %} #}ok
----
  {% if true %}
  a
  {% endif %}
  b
----
a
  {%- if true -%}
  b
  {%- endif -%}
c
----
a {{- 'b' -}} c
----
a
{{ 'b' }}
c
----
  {{ 'b' }}
  c
----
{% if true %}

a

{% endif %}

b
----
{%+ if true +%}
a
{%+ endif +%}
b
----
  {%+ if true %}a{% endif %}
----
x  {% if true %}a{% endif %}  
y
----
	{% set x = 1 %}
{{ x }}
----
  {# comment #}
a
----
  {# comment #}  
a
----
  {#- comment #}
a
----
a  {#+ comment +#}
b
----
{% for i in [1, 2] -%}
  {{ i }}
{%- endfor %}
----
{% for i in [1, 2] %}
  {{ i }}
{% endfor %}
----
{{ 1 }}
{{ 2 -}}
{{ 3 }}
----
{{ 'a' }}{{- ' ' -}}{{ 'b' }}
----
{{+ 1 }}
----
{% print 1, 2 %}
----
{% generation %}{% set x = 1 %}a{{ x }}{% endgeneration %}{{ x is defined }}
----
{{ [1,
2] }}
----
{{ {'a': {'b': {}}} }}
----
{{ {'a': 1}}}
----
{{{'a': 1}}}
----
{{ "}}" }}{{ '%}' }}{% if '%}' %}x{% endif %}
----
{{ "{{ not }}" }}
----
{ { } } { % # }
----
{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}
----
{% set j = joiner('; ') %}{% for i in [1, 2, 3] %}{{ j() }}{{ i }}{% endfor %}
----
{% for x in [1, [2, [3]]] recursive %}{% if x is iterable %}({{ loop(x) }}){% else %}{{ x }}{{ loop.depth }}{% endif %}{% endfor %}
----
{% set g = [1, 2] | map('string') %}{{ g | join(',') }}|{{ g | join(',') }}
----
{% set g = [1, 2, 3] | select %}{% for x in g %}{{ x }}{% endfor %}{{ g | list }}
----
{% set x = 'a' if false %}{{ x is defined }}[{{ x }}]
----
{% for g in data.people | groupby('age') %}{{ g.grouper }}:{{ g.list | map(attribute='name') | join(',') }};{{ g[0] }} {% endfor %}
----
{% for age, people in data.people | groupby('age') %}{{ age }}={{ people | length }} {% endfor %}
----
{% set messages = data.people[1:] %}{{ messages | length }}{% for m in messages %}{{ m.name }}{% endfor %}
----
{% if data.items is mapping %}a{% else %}b{% endif %}{{ data.items() | list | length }}
----
{% for c in data.content.split() %}{{ c }}|{% endfor %}
----
{%- for m in data.people %}
    {%- if loop.first and m.name == 'Ann' %}
        {{- 'first ' ~ m.name }}
    {%- elif not loop.last %}
        {{- ' then ' + m['name'] }}
    {%- else %}
        {{- ' last ' + m.name + '\n' }}
    {%- endif %}
{%- endfor %}
----
{% set ns = namespace(found=false, i=-1) %}{% for m in data.people[::-1] %}{% if not ns.found and m.age == 25 %}{% set ns.found = true %}{% set ns.i = loop.index0 %}{% endif %}{% endfor %}{{ ns.found }} {{ ns.i }}
----
{% set x = [] %}{% if x.append(1) %}{% endif %}{{ x }}
----
{{ loop is defined }}{% for i in [1] %}{{ loop is defined }}{% endfor %}
----
{% for i in [1] %}{% for j in [1] %}{{ loop.depth }}{% endfor %}{{ loop.depth0 }}{% endfor %}
----
{% for i in range(3) %}{{ loop.revindex }}{{ loop.revindex0 }}{% endfor %}
----
{% set x = 5 %}{% for x in [1, 2] %}{{ x }}{% endfor %}{{ x }}
----
{% set x = [1, 2] %}{% for x in x %}{{ x }}{% endfor %}
----
{% for i in [1, 2] %}{% if i == 1 %}{% set y = 'a' %}{% else %}{% set y = 'b' %}{% endif %}{{ y }}{% endfor %}
----
line one
line two {{ 1 / 0 }}
----
{% include 'x' %}
----
{% extends 'x' %}
----
{% import 'x' as y %}
----
{% do 1 %}
----

""".split("----\n")

# What differs by intent: lists that the template made may be changed; where Jinja gives an undefined value for an attribute that may not be
# used, for a slice of a constant that has none and for a text as its bound, the library says so at once.
DIFFERENT = {"{% set x = [] %}{% if x.append(1) %}{% endif %}{{ x }}", "{{ ''.__class__ }}", "{{ [1, 2, 3]['a':] }}", "{{ {'a': 1}[1:] is defined }}"}


def main():
    env = environment()
    templates = ["{{ %s }}" % line for line in EXPRESSIONS.replace("\\\nline'", "\0").split("\n")]
    templates = [t.replace("\0", "\\\nline'") for t in templates] + [t[:-1] if t.endswith("\n") else t for t in TEMPLATES]
    rows = []
    for text in templates:
        text = text.lstrip("\n") if text.startswith("\n{") else text
        if text in DIFFERENT or not text: continue
        row = {"template": text}
        try: row["text"] = env.from_string(text).render(data=json.loads(json.dumps(DATA)))
        except Exception as e: row["error"] = f"{type(e).__name__}: {e}"[:100]
        rows.append(row)
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "expressions.jsonl"), "w", encoding="utf-8") as f:
        f.write(json.dumps({"data": DATA, "jinja2": jinja2.__version__}, ensure_ascii=False) + "\n")
        for row in rows: f.write(json.dumps(row, ensure_ascii=False) + "\n")
    print(len(rows), "templates,", sum("error" in row for row in rows), "errors")


if __name__ == "__main__": main()
