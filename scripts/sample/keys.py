"""Partition keys: real ones of Wikidata to choose from, and others derived from them."""

from wikidata.config import Table

# Ten that differ in form, then those most used.
_LANGUAGES = """
    en mul no de zh-hant be-tarask fr ja ar ru nl es ca pl fa it hu mk pt sr nb zh be sv da cs oc el en-gb ko sco fi
    uk zh-hans he vi eo pt-br sk lv nn sr-ec scn bs sl nds ms sr-el ro id en-ca br ta ka tr ia hr zh-hk eu is
""".split()
_SITES = """
    enwiki commonswiki zh_min_nanwiki nowiki dewiki be_x_oldwiki frwiki jawiki arwiki enwikiquote svwiki plwiki
    itwiki nlwiki eswiki ruwiki ptwiki ocwiki zhwiki ukwiki cawiki fiwiki fawiki kowiki rowiki dawiki trwiki cswiki
    eowiki hewiki huwiki viwiki euwiki idwiki srwiki bgwiki simplewiki lawiki etwiki skwiki ltwiki hrwiki shwiki
    bewiki elwiki lvwiki nnwiki glwiki kawiki mswiki slwiki thwiki warwiki azwiki iswiki mkwiki hywiki cywiki brwiki
    mrwiki
""".split()


def choose_keys(table: Table, count: int) -> list[str]:
    """The first `count` keys of a table: real ones, if its default key is one of those known here.

    After the real ones come `mis-x-0001`, … and `mis_x_0001wiki`, …: `mis` is ISO 639-2 for "uncoded languages",
    `x` begins a private-use subtag (BCP 47).
    """
    if table.default_key in _SITES:
        real, pattern = _SITES, "mis_x_{:04d}wiki"
    else:
        real, pattern = _LANGUAGES if table.default_key in _LANGUAGES else [table.default_key], "mis-x-{:04d}"
    return [*real[:count], *(pattern.format(number) for number in range(1, count - len(real) + 1))]
