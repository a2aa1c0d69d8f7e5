"""Partition keys: which ones are valid, and real ones to choose from."""

import re

from wikidata.config import Table

_VALID = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")

# Real codes and site names of Wikidata: ten that differ in form, then the rest, those most used first.
_LANGUAGES = """
    en mul no de zh-hant be-tarask fr ja ar ru nl es ca pl fa it hu mk pt sr nb zh be sv da cs oc el en-gb ko sco fi
    uk zh-hans he vi eo pt-br sk lv nn sr-ec scn bs sl nds ms sr-el ro id en-ca br ta ka tr ia hr zh-hk eu is zh-cn
    gl af la et bn th bg lt hi te lb ast sh zh-tw cy mr hy uz ga az war sq ilo yue ml de-ch tl ur ckb yi gsw gu an
    ceb kk sw fy tt io pnb nan lmo jv qu vec pms kn or ku pa mn mg yo cv nds-nl gd arz fo li am my tg bar ne ce sgs
    os sah hsb diq ba nah gv ht lij co vo hif so vep sc min rm szl si ie hak ext se ang stq new pam frp xmf ug bo ky
    wa nap su dsb kw vro frr rue wo gn mzn mhr bxr ps lad vls sa fur rup mt wuu jbo tk kv ln bcl xal kl nov zh-sg
    ksh nrm zh-mo arc zh-my zea lzh lez pap sn gan pcd ace crh-latn rw haw csb dv kaa gag mwl simple na zu roa-tara
    udm mi kab lo bpy pih cdo kg tpi ay eml km nv mrj tet mdf ha krc cu ee koi kbd ss pdc chr ig as myv bi ts tw om
    bh ltg cbk-zam pnt de-at ab pag sm azb iu tokipona nso bjn za srn bm got map-bms ff rmy pfl ki lbe av st ak jam
    xh sd chy tyv sg dz ty bho ik tum bug olo liv ti rn lg mai ks lfn lrc mo nl-informal sma ch pi glk gom ady
    aeb-arab fj crh ny de-formal dty ve brh kbp tg-cyrl bbc-latn tt-cyrl bgn sat to prg rgn vmf cr gom-deva gom-latn
    ms-arab tcy dag kk-cyrl tn frc hil inh smn sms tok ary ku-latn nqo fit ng syl tly tt-latn aig be-x-old en-us grc
    nan-hani nan-hant als ban gpe mad nan-latn-pehoeji nan-latn-tailo shi zgh ami atj kcg szy zh-yue aeb-latn arn
    crh-ro dga din gor guw iba ii ko-kp lld pcm ryu tig trv ug-arab ug-latn aa acm aln alt ann btm fiu-vro gcr hyw
    ku-arab lzz mni rki rmf smj tg-latn wlx arq awa ban-bali bew cho dtp fon gaa kaj kk-kz knc kus mag nyn ota
    pap-aw pdt rwr shn sjd sje sju skr sli
""".split()
_SITES = """
    enwiki commonswiki zh_min_nanwiki nowiki dewiki be_x_oldwiki frwiki jawiki arwiki enwikiquote svwiki plwiki
    itwiki nlwiki eswiki ruwiki ptwiki ocwiki zhwiki ukwiki cawiki fiwiki fawiki kowiki rowiki dawiki trwiki cswiki
    eowiki hewiki huwiki viwiki euwiki idwiki srwiki bgwiki simplewiki lawiki etwiki skwiki ltwiki hrwiki shwiki
    bewiki elwiki lvwiki nnwiki glwiki kawiki mswiki slwiki thwiki warwiki azwiki iswiki mkwiki hywiki cywiki brwiki
    mrwiki bswiki afwiki scowiki tawiki zh_yuewiki urwiki gawiki sqwiki hiwiki bnwiki tlwiki uzwiki kkwiki pnbwiki
    cebwiki mlwiki swwiki iowiki lbwiki scnwiki quwiki jvwiki anwiki ttwiki astwiki yiwiki fywiki ckbwiki kuwiki
    pawiki ndswiki mnwiki yowiki cvwiki iawiki arzwiki pmswiki amwiki alswiki knwiki gdwiki lmowiki mywiki
    bat_smgwiki cewiki tewiki vecwiki oswiki sahwiki tgwiki liwiki ilowiki fowiki gvwiki bawiki htwiki barwiki
    hifwiki sowiki vepwiki hsbwiki newiki vowiki mgwiki nahwiki plwikiquote enwikivoyage szlwiki dewikivoyage
    hakwiki diqwiki itwikiquote lijwiki ugwiki extwiki iewiki newwiki scwiki angwiki bowiki xmfwiki pamwiki kywiki
    fiu_vrowiki suwiki kwwiki sewiki stqwiki dsbwiki ruewiki orwiki bxrwiki cowiki gnwiki mhrwiki frwikivoyage
    guwiki frrwiki ladwiki nds_nlwiki sawiki frpwiki itwikivoyage nlwikivoyage plwikivoyage wuuwiki pswiki siwiki
    tkwiki lnwiki kvwiki xalwiki bclwiki ptwikivoyage mtwiki napwiki hewikivoyage wowiki novwiki ruwikivoyage
    arcwiki viwikivoyage zeawiki lezwiki mznwiki zh_classicalwiki vlswiki jbowiki snwiki furwiki fawikivoyage
    ruwikiquote rmwiki ganwiki svwikivoyage wawiki rwwiki crhwiki eswikiquote klwiki acewiki papwiki dewikiquote
    dvwiki eswikivoyage hawwiki csbwiki mwlwiki bhwiki gagwiki nawiki nrmwiki roa_rupwiki roa_tarawiki cdowiki
    udmwiki bpywiki kaawiki lowiki miwiki pihwiki tpiwiki aywiki zhwikivoyage emlwiki kabwiki mrjwiki kmwiki
    cswikiquote nvwiki ruwikinews tetwiki mdfwiki frwikiquote ukwikivoyage krcwiki rowikivoyage koiwiki kbdwiki
    pcdwiki eewiki sswiki hawiki pdcwiki cuwiki kshwiki zuwiki chrwiki kgwiki biwiki myvwiki omwiki ptwikiquote
    twwiki aswiki minwiki skwikiquote ltgwiki igwiki pntwiki ukwikiquote azbwiki cbk_zamwiki elwikivoyage smwiki
    iuwiki abwiki cawikiquote bjnwiki nsowiki dewikisource srnwiki svwikinews zawiki gotwiki pagwiki tswiki
    map_bmswiki fawikiquote hewikiquote ltwikiquote bmwiki ffwiki rmywiki bgwikiquote kiwiki jawikiquote bswikiquote
    trwikiquote lbewiki srwikinews eowikiquote frwikinews stwiki enwikinews pflwiki avwiki xhwiki chywiki dewikinews
    tyvwiki elwikiquote sdwiki sgwiki dzwiki enwikisource fiwikivoyage huwikiquote nnwikiquote slwikiquote tumwiki
    fiwikiquote ikwiki bugwiki eswikinews hrwikiquote azwikiquote itwikinews tywiki akwiki eowikinews olowiki
    jamwiki nlwikiquote zhwikiquote rnwiki hywikiquote lgwiki maiwiki plwikinews srwikiquote svwikiquote tiwiki
    lrcwiki nlwikinews ptwikinews cswikinews fawikinews chwiki piwiki arwikinews lfnwiki mowiki trwikinews
    etwikiquote fjwiki gomwiki cawikinews glkwiki adywiki eswikisource frwikisource nowikinews ukwikinews
    itwikisource jawikinews kswiki nywiki elwikinews tawikinews kowikiquote kawikiquote nowikiquote ruwikisource
    fiwikinews huwikinews simplewikiquote dtywiki kbpwiki kowikinews sqwikinews zhwikinews bswikinews rowikinews
    vewiki arwikiquote glwikiquote kuwikiquote euwikiquote liwikiquote idwikiquote lawikiquote iswikiquote
    mlwikiquote rowikiquote tawikiquote hewikinews towiki dawikiquote kowikisource ptwikisource thwikiquote inhwiki
    sqwikiquote tnwiki viwikiquote crwiki cywikiquote satwiki tewikiquote bgwikinews cawikisource lawikisource
    plwikisource tcywiki urwikiquote uzwikiquote elwikisource enwikiversity hiwikiquote hiwikivoyage ngwiki
    afwikiquote bewikiquote bnwikivoyage brwikiquote huwikisource nlwikibooks nlwikisource ptwikibooks cswikisource
    enwikibooks eowikisource fiwikisource hewikisource trwikisource zhwikisource bgwikisource itwikibooks
    nowikisource angwikiquote azwikibooks dewikibooks glwikisource hrwikisource iiwiki iswikibooks jawikibooks
    ltwikisource rowikisource ukwikisource viwikisource arwikibooks arwikisource arywiki bnwikiquote btmwiki
    dawikisource fawikisource gcrwiki gorwiki hywwiki idwikisource jawikisource kncwiki lldwiki metawiki mrwikiquote
    rkiwiki specieswiki sqwikibooks svwikisource thwikinews zhwikibooks aawiki atjwiki azwikisource banwiki
    bewikisource bewwiki bgwiktionary bnwikibooks bswikisource csbwiktionary cswikibooks cswiktionary dagwiki
    dawikibooks dawiktionary dewiktionary dinwiki enwiktionary eowiktionary eswikibooks eswiktionary etwikisource
    fawikibooks fiwikibooks fowikisource frwikibooks frwiktionary fywikibooks fywiktionary glwiktionary gorwikiquote
    guwikiquote guwikisource guwwiki guwwikiquote hewikibooks hrwiktionary huwiktionary hywikisource ibawiki
    idwikibooks idwiktionary igwikiquote iswikisource itwikiversity itwiktionary jawiktionary kawikibooks
    kawiktionary kkwikibooks kowikibooks kowiktionary lawiktionary lbwikiquote lbwiktionary liwikibooks liwiktionary
    ltwiktionary madwiki mgwiktionary mkwikisource mkwiktionary mswikiquote ndswiktionary nlwiktionary nowikibooks
    nowiktionary ocwiktionary pawikibooks pcmwiki plwikibooks plwiktionary pswikivoyage ptwiktionary rowikibooks
    rowiktionary ruwikibooks ruwiktionary sawikiquote sawikisource shnwiki skwikisource skwiktionary srwikisource
    svwikibooks svwiktionary szywiki tawikisource tewikisource tgwiktionary thwikibooks thwikisource trwiktionary
    ukwiktionary vecwikisource wikidatawiki zghwiki zh_min_nanwikiquote zh_min_nanwikisource zhwiktionary
""".split()


def is_valid_key(key: str) -> bool:
    """Whether a key is a lower-case code: letters and digits, with single hyphens or underscores between them."""
    return _VALID.fullmatch(key) is not None


def choose_keys(table: Table, count: int) -> list[str]:
    """The first `count` keys of a table.

    After the real ones come `mis-x-0001`, … and `mis_x_0001wiki`, …: `mis` is ISO 639-2 for "uncoded languages",
    `x` begins a private-use subtag (BCP 47).
    """
    real, pattern = (_SITES, "mis_x_{:04d}wiki") if table is Table.LINKS else (_LANGUAGES, "mis-x-{:04d}")
    derived = (pattern.format(number) for number in range(1, count - len(real) + 1))
    return [*real[:count], *derived]
