//! What words say about a prompt's intent in languages other than English, in the form of `cues.rs`; and
//! cues of scripts without spaces between words (and of Korean, whose endings grow on the word), which are
//! found anywhere in the text.

use crate::domain::context::Intent::{self, Coding, Other, Reasoning, Retrieval, Writing};

/// Intent, weight, phrases.
pub(super) const ABROAD: &[(Intent, u8, &str)] = &[
    // German.
    (Coding, 3, "java programm|skript|bash skript|quellcode|schleife|fehlermeldung|programmiere|datenbank|code"),
    (Coding, 2, "funktion|programm|liste sortieren|eine liste|variable"),
    (Reasoning, 4, "beweise|löse die gleichung|wie lange brauch*|doppelt so"),
    (Reasoning, 3, "berechne|rechne|wie viel|gleichung|wahrscheinlichkeit|wann holt|km h|wie alt ist"),
    (Reasoning, 2, "wie viele|insgesamt|prozent|hälfte"),
    (Retrieval, 4, "laut dem|laut der|wer hat|wer war|wer ist|hauptstadt|einwohner"),
    (
        Retrieval,
        3,
        "in welchem jahr|wann|welches jahr|was bedeutet|was ist|was sind|warum|wo liegt|erkläre|nenne|wie hoch|wie funktioniert",
    ),
    (Retrieval, 3, "unterschied zwischen|wofür steht|woher kommt"),
    (Retrieval, 2, "laut|welche|welcher|welches|wer"),
    (
        Writing,
        4,
        "gedicht|aufsatz|fasse|zusammenfassung|formuliere|übersetze|schreibe einen brief|e mail freundlicher|rede für",
    ),
    (
        Writing,
        3,
        "rechtschreibung|kurze rede|rede zum|eine rede|brief an|geschichte über|verfasse|umformulieren|anschreiben|korrekturlesen",
    ),
    (Writing, 2, "schreibe|schreib|freundlicher"),
    (
        Other,
        4,
        "langweilig|traurig|mir geht|was hältst du|hallo|danke|guten morgen|guten tag|wie geht|was soll ich|erzähl mir|empfiehl|tschüss|moin",
    ),
    // French.
    (Coding, 4, "une fonction|programme en|requête sql|trier un|trier une"),
    (Coding, 2, "fonction|boucle|tableau|script"),
    (Reasoning, 4, "démontre*|combien de temps|résous|résoudre|dérivée|intégrale"),
    (Reasoning, 3, "calcule|combien|équation|probabilité"),
    (Retrieval, 4, "selon le|selon la|quelle est la capitale|qui a|qui est|différence entre|en quelle année"),
    (Retrieval, 3, "quand|pourquoi|qu'est ce|qu'est|quelle est|quel est|explique|où se trouve|capitale"),
    (Retrieval, 2, "selon|quels sont|quelles sont"),
    (Writing, 4, "poème|rédige*|traduis|traduire|résume*|lettre de motivation|reformule|corrige ce texte"),
    (Writing, 3, "un conte|orthographe|une histoire|un discours|une lettre|un courriel"),
    (Writing, 2, "écris|lettre"),
    (Other, 4, "bonjour|salut|merci|ça va|tu préfères|bonsoir|raconte moi|que me conseilles"),
    // Spanish.
    (Coding, 4, "consulta sql|una función|mi código|el bucle|mi bucle|bucle while"),
    (Coding, 2, "función|código|arreglo|programa"),
    (Reasoning, 4, "demuestra|resuelve|cuánto vale|velocidad media|ecuación"),
    (Reasoning, 3, "cuánt*|calcula|probabilidad"),
    (Retrieval, 4, "según el|según la|quién|cuál es la capital|diferencia entre|en qué año|cuándo"),
    (Retrieval, 3, "cuál es|qué es|por qué|dónde está|explica|qué significa|capital de"),
    (Retrieval, 2, "según|qué"),
    (Writing, 4, "ortografía|corrige|poema|ensayo|redacta|traduce|resume|un cuento|una carta|un correo"),
    (Writing, 2, "escribe|carta|correo"),
    (Other, 4, "hola|gracias|buenos días|buenas noches|qué tal|recomiéndame|cuéntame|cómo estás"),
    // Italian and Portuguese.
    (Coding, 3, "codice|questo codice|una funzione|uma função|código|arquivo csv|um programa|um script"),
    (Coding, 2, "funzione|função|ciclo"),
    (Reasoning, 4, "dimostra|risolvi|resolva|prove que|divisíveis por"),
    (Reasoning, 3, "quanti|quante|quanto|quantos|quantas|calcola|calcule|equazione|equação"),
    (
        Retrieval,
        4,
        "secondo il|de acordo com|segundo o|chi ha|quem foi|quem escreveu|capitale|differenza tra|diferença entre",
    ),
    (Retrieval, 3, "quando|perché|cos'è|qual è|qual é|o que é|por que|spiega|explique|onde fica|dove si trova"),
    (Writing, 4, "poesia|riassumi|traduci|traduza|resuma|un racconto|um conto|uma carta|una lettera|tema su"),
    (Writing, 2, "scrivi|escreva|lettera"),
    (Other, 4, "come va|ciao|oi|olá|tudo bem|obrigado|obrigada|grazie|buongiorno|come stai|bom dia"),
    // Dutch and Polish and Turkish.
    (Coding, 3, "functie|broncode|funkcj*|kod|fonksiyon*|kodu"),
    (Reasoning, 3, "hoeveel|bereken|bewijs|ile|oblicz|udowodnij|kaç|hesapla|kanıtla"),
    (
        Retrieval,
        3,
        "wie was|wie schreef|wanneer|hoofdstad|waarom|kto napisał|kiedy|stolica|dlaczego|kim yazdı|ne zaman",
    ),
    (Retrieval, 3, "başkenti|neden|wat is|co to jest|nedir"),
    (Writing, 4, "gedicht over|schrijf een brief|vat samen|vertaal|wiersz|przetłumacz|streść|şiir|çevir|özetle|mektup"),
    (Writing, 2, "schrijf|napisz|yaz"),
    (Other, 4, "goedemorgen|hoi|bedankt|dank je|alles goed|cześć|dzięki|dzień dobry|merhaba|teşekkürler|nasılsın"),
    // Russian and Ukrainian.
    (Coding, 4, "функци*|код|программ*|скрипт*|питон*"),
    (Reasoning, 4, "докажи*|вычисли*|реши*|сколько|скільки"),
    (Retrieval, 4, "кто написал|кто такой|когда|столица|в каком году|чем отличается|хто|коли"),
    (Retrieval, 3, "кто|что такое|почему|где находится|объясни*|чому"),
    (Writing, 4, "стих*|письмо|рассказ|сочинение|переведи|перескажи|эссе|вірш|лист"),
    (Writing, 2, "напиши"),
    (Other, 4, "привет|спасибо|как дела|здравствуй*|доброе утро|привіт|дякую"),
    // Arabic and Hindi.
    (Coding, 4, "دالة|كود|برنامج|फ़ंक्शन|कोड"),
    (Reasoning, 4, "احسب|كم|أثبت|हल करो|कितने|कितना"),
    (Retrieval, 3, "من هو|متى|عاصمة|لماذا|ما هو|ما هي|कौन|कब|राजधानी|क्यों|क्या है"),
    (Writing, 4, "قصيدة|رسالة|قصة|ترجم|لخص|कविता|पत्र|कहानी|अनुवाद"),
    (Other, 4, "مرحبا|شكرا|كيف حالك|नमस्ते|धन्यवाद"),
];

/// Intent, weight, phrases, found anywhere.
pub(super) const UNSPACED: &[(Intent, u8, &str)] = &[
    (Coding, 4, "代码|代碼|函数|函數|コード|関数|코드|함수|爬虫|报错|脚本|バグ|파이썬|编译|스크립트"),
    (Coding, 3, "编程|程序|プログラム|プログラミング|프로그램|算法|数据库|データベース"),
    (Reasoning, 4, "证明|證明|解方程|証明|还剩|還剩|求めなさい|증명|방정식|方程式|概率|確率"),
    (Reasoning, 3, "計算|计算|多少|いくつ|계산|几个|幾個|整数"),
    (Reasoning, 2, "몇|三分之一|一半"),
    (
        Retrieval,
        4,
        "哪一年|什么时候|什麼時候|何年|いつ|언제|是哪个|是哪個|是什么|是什麼|何ですか|무엇|とは何|是谁|是誰",
    ),
    (Retrieval, 3, "根据|根據|首都|によると|为什么|為什麼|なぜ|왜|수도|解释|説明して|区别|違い|哪里|どこ"),
    (Retrieval, 2, "谁|誰|누구|什么|哪"),
    (
        Writing,
        4,
        "作文|写一首|写一封|写一篇|寫一首|寫一封|寫一篇|手紙|物語|翻译|翻譯|翻訳|总结|總結|要約|短文|辞职信|번역|요약",
    ),
    (Writing, 4, "편지|이야기를|メッセージを書|詩を|시를|メールを書|润色|改写"),
    (Writing, 3, "故事|詩|诗|邮件|郵件"),
    (Writing, 2, "文章|書いて|써줘|帮我写|幫我寫"),
    (
        Other,
        4,
        "你好|您好|谢谢|謝謝|こんにちは|おはよう|ありがとう|안녕|감사합니다|고마워|心情|元気|早上好|推荐|おすすめ",
    ),
];
