from premortem.agent.emit.sections import code, plain, section_change, with_section


def section(body, trace="t-1"):
    return f"### Refunds\n\nTrace: {trace}\n\n{body}\n"


def test_a_section_is_written_anew_in_its_place():
    text = with_section(with_section("# All\n", section("one")), "### Later\n\nx\n")
    after = with_section(text, section("two"))
    assert "one" not in after
    assert after.index("two") < after.index("### Later")
    assert with_section(after, section("two")) == after


def test_a_section_that_a_person_changed_stays_theirs():
    text = with_section("", section("one")).replace("one", "one, says ann")
    assert with_section(text, section("two")) == text


def test_sections_of_two_traces_stand_side_by_side():
    text = with_section(with_section("", section("one")), section("two", trace="t-2"))
    assert ("one" in text, "two" in text) == (True, True)
    assert with_section(text, section("three", trace="t-2")).count("### Refunds") == 2


def test_text_of_others_brings_no_markup_of_its_own():
    assert plain("a\n# b <script> `x`") == "a # b \\<script> \\`x\\`"
    assert code("a`b") == "`a'b`"


def test_a_file_of_a_person_keeps_its_text_and_line_ends(tmp_path):
    own = b"# Ours\r\n\r\nSome words.\r\n"
    (tmp_path / "qa.md").write_bytes(own)
    change = section_change(tmp_path, "qa.md", [section("one")], title="Theirs")
    assert change.after.startswith(own)
    assert b"\n" not in change.after.replace(b"\r\n", b"")
