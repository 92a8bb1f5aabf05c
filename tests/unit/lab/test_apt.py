from __future__ import annotations

from uml import apt


def test_only_debians_own_release_is_taken() -> None:
    targets = "\n".join(
        [
            "http://mirror.example/debian/|bookworm|bookworm|Debian|main",
            "http://mirror.example/debian-security/|bookworm-security|bookworm-security|Debian|main",
            "http://tools.example/|bookworm|bookworm|Somebody|main",
            "http://mirror.example/debian/|sid|sid|Debian|main",
        ]
    )
    assert apt.source_lines(targets) == [
        "deb http://mirror.example/debian/ bookworm main",
        "deb http://mirror.example/debian-security/ bookworm-security main",
    ]


def test_a_machine_without_sources_has_none() -> None:
    assert apt.source_lines("") == []


def test_proxies_are_passed_on_and_hooks_are_not() -> None:
    dump = "\n".join(
        [
            'Acquire "";',
            'Acquire::http "";',
            'Acquire::http::Proxy "http://proxy.example:3128";',
            'Acquire::https::CaInfo "/etc/ca.pem";',
            'Acquire::Retries "3";',
            'APT::Update::Post-Invoke "rm -rf /";',
            'Dir::Etc "etc/apt";',
        ]
    )
    assert apt.fetch_options(dump) == [
        'Acquire::http::Proxy "http://proxy.example:3128";',
        'Acquire::https::CaInfo "/etc/ca.pem";',
        'Acquire::Retries "3";',
    ]
