"""Names of fields that hold personal data, by concept, in the languages of many services.

A name is compared by its words put together, so `first_name`, `FirstName` and `firstname` are
one; diacritics are left out (`prénom`, `geburtsdatum`). The end of a name counts: `billing
address line 1` ends in an address line. What merely speaks about a value (`phone_type`) ends in
another word and is none.

Sources of the concepts: GDPR articles 4 and 9 and recital 30; PCI DSS 4.0, section 3; NIST SP
800-122, 2.2; the fields of vCard (RFC 6350), OpenID Connect Core 5.1 and HL7 FHIR Patient.
"""

from __future__ import annotations

from functools import lru_cache
from unicodedata import combining, normalize

from premortem.capture.kinds import Kind, word_set

_CONCEPTS: dict[Kind, str] = {
    Kind.SECRET: """
        motdepasse mdp motpasse nouveaumotdepasse codesecret contrasena contrasenia claveacceso
        clavedeacceso clavesecreta palabraclave senhaatual novasenha codigosecreto palavrapasse
        zugangsdaten zugangscode geheimzahl geheimnis sicherheitscode losungswort kodeord
        passord
        losen lozinka slaptazodis parole  tajnehaslo heslouzivatele
        kullanicisifre matkhau katasandi пароль кодподтверждения 密码 密碼 口令 暗証番号
        パスワード 비밀번호
    """,
    Kind.NAME: """
        firstname givenname forename christianname middlename lastname surname familyname
        maidenname birthname addressee legalname fullname realname personname givennames
        familynames
        secondname fname lname mname middleinitial nickname preferredname nameoncard
        cardholdername
        cardholder accountholder accountholdername accountname beneficiaryname holdername
        contactname contactperson patientname signername signedby recipientname mothername
        mothersmaidenname fathername spousename nextofkin emergencycontactname alumniname
        vorname nachname familienname geburtsname vollername rufname ansprechpartner
        kontoinhaber
        karteninhaber empfaenger prenom prenoms nomdefamille nomcomplet nomnaissance
        nomdenaissance titulairecompte titulaire nombrecompleto primernombre segundonombre
        nombres
        apellido apellidos apellidopaterno apellidomaterno titular nomecompleto sobrenome
        apelido
        primeironome nomemae nomedamae nomedopai cognome nomecognome nomeecognome intestatario
        voornaam achternaam tussenvoegsel volledigenaam fornavn etternavn efternavn mellomnavn
        mellemnavn fornamn efternamn mellannamn fulltnavn fullstandignamn etunimi sukunimi
        kokonimi imie nazwisko imienazwisko imieinazwisko jmeno prijmeni krestnijmeno meno
        priezvisko keresztnev vezeteknev csaladnev prenume numefamilie soyad soyadi soyisim
        adsoyad
        adisoyadi onoma eponymo imya familiya otchestvo xingming shimei namalengkap namadepan
        namabelakang hoten имя фамилия отчество фио 姓名 名字 氏名 お名前 名前 이름 성명 الاسم
    """,
    Kind.EMAIL: """
        email emails mail mails emailaddress mailaddress emailadresse emailaddr emailid
        useremail
        correo correoelectronico courriel adressemail adresseemail adressemel eposta epost
        epostadresse sahkoposta indirizzoemail emailadres enderecoemail eletronico
        contactemail workemail mailto почта электроннаяпочта 邮箱 电子邮件 メールアドレス 이메일
    """,
    Kind.PHONE: """
        phone phones phonenumber phonenumbers phoneno telephone telephonenumber telno tel telnr
        mobile mobilephone mobilenumber mobileno mobiles cell cellphone cellnumber cellular fax
        faxnumber faxno msisdn landline smsnumber smsto whatsapp whatsappnumber homephone
        workphone
        callerid callernumber calleenumber dialednumber phonehome phonework phonemobile
        telefon telefonnummer telefonnr rufnummer mobilnummer handy handynummer mobil
        mobiltelefon
        telefone telefones celular movil telefono telefonos numerotelefono cellulare telefonino
        numerodetelephone numerotelephone teleph portable numeroportable telefoon telefoonnummer
        mobiel gsm gsmnummer puhelin puhelinnumero matkapuhelin tlf tlfnr mobilnr telefonszam
        numertelefonu komorka telefonicislo telefonu ceptelefonu ceptel telefonnumarasi nomorhp
        nohp sdt sodienthoai телефон мобильный 电话 手机 手机号 電話 電話番号 携帯電話 전화번호
        휴대폰
    """,
    Kind.BIRTH: """
        birthdate birthday dateofbirth dob bday bornon birthdt birthdatetime
        dateofbirthiso geburtsdatum geburtstag gebdatum geboren datenaissance datedenaissance
        nele nacimiento fechanacimiento fechadenacimiento fechanac datanascimento
        datadenascimento nascimento nascita datanascita datadinascita geboortedatum fodselsdato
        fodselsdag fodelsedatum fodelsedag fodseldato syntymaaika syntymapaiva dataurodzenia
        datumnarozeni datumrodjenja szuletesidatum datanasterii dogumtarihi dogumgunu
        tanggallahir
        tgllahir ngaysinh datarozhdeniya датарождения 出生日期 生日 生年月日 誕生日 생년월일
        생일
    """,
    Kind.STREET: """
        street streetname streetaddress streetline streetline1 streetline2 street1 street2
        address
        addressline addressline1 addressline2 addressline3 address1 address2 address3 addr addr1
        addr2 addrline1 addrline2 homeaddress postaladdress mailingaddress residentialaddress
        deliveryaddress shippingaddress billingaddress fulladdress formattedaddress thoroughfare
        streetandnumber domicile line1 line2 line3 strasse strassenname strassehausnummer
        hausnummer anschrift adresse adressezeile1 adresszeile
        adresszeile1 wohnort rue adressepostale voie numerovoie domicilio direccion calle
        direccionpostal indirizzo endereco logradouro morada rua adres straat straatnaam
        huisnummer adress gata gatuadress gateadresse vej gadenavn osoite katuosoite ulica
        adresa
        ulice utca lakcim cim sokak mahalle adresi alamat diachi улица адрес домашнийадрес
        地址 住址 住所 番地 주소
    """,
    Kind.PERHAPS_PLACE: """
        city town postcode postalcode zip zipcode zip4 postalzip pincode eircode suburb locality
        hometown ort plz postleitzahl stadt ville codepostal commune ciudad codigopostal
        localidad
        cidade cep bairro citta cap codiceavviamentopostale comune plaats postcodenr woonplaats
        postnummer poststed postort ort paikkakunta postinumero miasto kodpocztowy mesto psc
        varos
        iranyitoszam oras codpostal sehir ilce postakodu kota kodepos город индекс 城市 邮编
        郵便番号
        市区町村 우편번호 placeofbirth birthplace cityofbirth geburtsort lieunaissance
        lieudenaissance lugarnacimiento luogonascita
    """,
    Kind.IP: """
        ip ips ipaddress ipaddr ipaddresses ipv4 ipv6 ipv4address ipv6address clientip remoteip
        remoteaddr remoteaddress userip sourceip srcip originip loginip lastloginip
        currentsigninip
        lastsigninip realip peerip peeraddress clientaddress clientaddr callerip visitorip
        forwardedfor xforwardedfor connectingip trueclientip sourceaddress signupip
        registrationip
        adresseip ipadresse direccionip enderecoip indirizzoip
    """,
    Kind.POSITION: """
        lat latitude lng lon longitude latlng latlon lnglat lonlat latitud longitud latitudine
        longitudine breitengrad laengengrad geolocation geopoint geoposition coordinates coords
        coord gps gpsposition gpslocation gpscoordinates currentlocation lastlocation
        lastknownlocation userlocation homelocation devicelocation currentposition lastposition
    """,
    Kind.DEVICE: """
        deviceid deviceidentifier deviceuuid devicetoken deviceuid deviceserial
        deviceserialnumber
        deviceguid devicefingerprint browserfingerprint canvasfingerprint idfa idfv gaid adid
        aaid
        oaid androidid advertisingid adsid advertisingidentifier udid imei imeisv imei2 meid esn
        imsi iccid eid mac macaddress macaddr hardwareid hwid hardwareaddress installationid
        installid visitorid anonymousid anonid distinctid trackingid fcmtoken
        pushtoken apnstoken machineid simserial bluetoothaddress wifimac bssid
        geraeteid gerateid appareilid dispositivoid
    """,
    Kind.NATIONAL: """
        ssn socialsecurity socialsecuritynumber socialsecurityno socialinsurancenumber sin
        sinnumber
        nationalid nationalidnumber nationalidentifier nationalidentificationnumber nin nino
        nationalinsurance nationalinsurancenumber nationalnumber personalnumber personalid
        personalidentifier personalcode personalidnumber identitynumber identitycard
        identitycardnumber identitydocument idcard idcardnumber idnumber iddocumentnumber
        citizenid civilid taxid taxnumber taxpayerid
        taxidentificationnumber taxreference tin itin utr passport passportnumber passportno
        passportid driverlicense driverslicense driverlicence drivinglicence drivinglicense
        driverlicensenumber driverslicensenumber drivinglicencenumber drivinglicensenumber
        licensenumber licencenumber dlnumber nhsnumber nhsno medicareid medicarenumber mbi mrn
        medicalrecordnumber healthinsurancenumber healthcardnumber insurancenumber insuranceid
        voterid votercard visanumber residencepermit residencepermitnumber
        steuerid steueridnr steuernummer steueridentifikationsnummer idnr
        sozialversicherungsnummer svnr svnummer rentenversicherungsnummer personalausweis
        personalausweisnummer ausweisnummer reisepass reisepassnummer fuehrerschein
        krankenkassennr
        versichertennummer ahv ahvnr ahvnummer nir numerosecuritesociale securitesociale
        numerosecu nss numsecu inseecode cni numerocni passeport numeropasseport numerofiscal
        dni nie nif dninie documentoidentidad seguridadsocial numeroseguridadsocial pasaporte
        curp rfc rut cedula cuil cuit clabeinterbancaria cpf cpfcnpj rg numerocpf
        cartaodecidadao niss passaporte codicefiscale codfiscale cartaidentita passaporto
        bsn burgerservicenummer rijksregisternummer rrn niss insz paspoort personnummer
        fodselsnummer personnr fodselsnr samordningsnummer cpr cprnummer cprnr hetu
        henkilotunnus
        henkilötunnus pesel nip dowod dowodosobisty nrdowodu rodnecislo rodnycislo cislopasu cnp
        oib jmbg emso egn amka afm tcno tckn tckimlik tckimlikno kimlikno szemelyiszam tajszam
        aadhaar aadhaarnumber aadhar pannumber pancard nric fin fincode mykad nik noktp ktp cccd
        cmnd mynumber shenfenzheng idcardno hkid rrnumber emiratesid iqama teudatzehut
        инн снилс паспорт номерпаспорта 身份证 身份证号 护照 護照 マイナンバー 주민등록번호
        여권번호
    """,
    Kind.CARD: """
        cardnumber cardnum cardno cardpan pan ccnumber ccnum ccno creditcard creditcardnumber
        creditcardno debitcard debitcardnumber debitcardno primaryaccountnumber paymentcard
        paymentcardnumber kartennummer kreditkarte kreditkartennummer numerocarte cartebancaire
        cartebleue numerotarjeta tarjeta tarjetacredito numerodetarjeta numerocartao cartao
        cartaodecredito numerocarta cartadicredito kaartnummer kortnummer numerkarty cislokarty
        kartno kartnumarasi номеркарты 银行卡号 卡号 カード番号 카드번호
    """,
    Kind.ACCOUNT: """
        iban ibannumber accountnumber accountno acctnumber acctno acctnum bankaccount bban
        bankaccountnumber bankaccountno routingnumber sortcode routingno bsb ifsc clabe
        kontonummer
        kontonr bankkonto bankverbindung rib numerocompte numerodecompte comptebancaire cuenta
        cuentabancaria numerocuenta contobancario numeroconto numeroconta contacorrente
        rekeningnummer bankgiro plusgiro numerkonta numerrachunku cislouctu tilinumero hesapno
    """,
    Kind.SENSITIVE: """
        diagnosis diagnoses medication medications allergies allergy bloodtype bloodgroup
        medicalcondition medicalconditions medicalhistory healthcondition disability
        disabilities
        religion ethnicity ethnicorigin sexualorientation politicalopinion
        politicalviews politicalparty tradeunion diagnose krankheit blutgruppe konfession
        diagnostic groupesanguin religione gruposanguineo
    """,
    Kind.PERHAPS_NAME: """
        name displayname names nom nombre nome naam navn namn nimi nev jmenoprijmeni ad isim
        naziv
        ime first last given family middle full surnames sei mei nama ten onomateponymo
    """,
    Kind.PERSON: """
        person persons people customer customers patient patients user users
        member members contact contacts employee employees student students teacher
        passenger passengers traveller traveler travellers travelers guest guests recipient
        recipients sender senders payer payee debtor creditor beneficiary beneficiaries
        applicant
        applicants candidate candidates subscriber subscribers buyer tenant resident driver
        drivers
        rider riders owner owners holder author authors participant participants attendee
        attendees visitor visitors caller callee signer signers insured policyholder
        policyholders dependent dependents spouse guardian consignee profile identity registrant
        respondent donor donors volunteer volunteers prospect prospects personalinfo
        personaldata personaldetails personal
        kunde kunden benutzer nutzer mitarbeiter absender versicherter patientin
        utilisateur utilisateurs personne personnes salarie destinataire expediteur usuario
        usuarios cliente clientes persona personas paciente empleado destinatario pessoa pessoas
        funcionario utente utenti dipendente paziente klant klanten gebruiker medewerker asiakas
        kund kunder anvandare klient pacjent uzytkownik uzivatel zakaznik musteri kullanici
        pelanggan khachhang пользователь клиент 用户 客户 顧客 会員 고객
    """,
    Kind.BUSINESS: """
        company companies organization organisation organizations organisations org orgs
        business
        businesses merchant merchants vendor vendors supplier suppliers store stores shop shops
        branch branches venue venues hotel hotels restaurant restaurants station stations
        airport
        airports brand brands manufacturer warehouse warehouses depot depots office offices bank
        banks school schools university institution hospital clinic agency publisher team teams
        project projects product products item items category categories plan plans repository
        region regions country countries landmark poi pois place places stop stops port ports
        property listing event events firma unternehmen entreprise empresa azienda bedrijf
        magasin filiale tienda loja negozio winkel
    """,
}

_BY_WORDS: dict[str, Kind] = {
    word: kind for kind, words in _CONCEPTS.items() for word in words.split()
}
_PERSONS = word_set(_CONCEPTS[Kind.PERSON]) - word_set("profile identity personal author authors")
_BUSINESSES = word_set(_CONCEPTS[Kind.BUSINESS])

_TAILS = word_set(
    "text string str raw formatted full e164 iso original new old primary secondary alternate alt "
    "value val given current previous prev plain display masked normalized normalised complete "
    "home work business private mobile day night evening emergency local national international "
    "input field fiscal contacto contact completo completa complet complete envio entrega "
    "facturacion livraison facturation titular personal particular casa trabajo domicile "
    "portable fixe fijo contatto residenza spedizione consegna kontaktowy korespondencji "
    "zamieszkania dostawy privat geschaeftlich dienstlich"
)
"""After a concept they leave it what it is: `phone_e164`."""
_NEVER = word_set(
    "has is show use uses needs requires require enable enabled disable allow hide validate "
    "verify verified check max min num total count invalid missing"
)
"""Before a concept they make a question or a number of it."""
_SERVER = word_set(
    "server host gateway dns upstream bind listen internal private public cluster node pod "
    "service proxy lb loadbalancer target dest destination allowed blocked whitelist elastic"
)
"""Whose address is not a client's."""
_WHOLE_ONLY = word_set(
    "mac cap eid fin sin rut rg tin nip nie rfc rib cim gata cell holder "
    "portable first last given family middle full names ad ten sei mei ime nama line1 line2 line3"
)
"""Concepts that are words of other meaning, too: they count as whole names only."""
_RESIDENT = _PERSONS | word_set("address billing shipping home mailing postal delivery residential")
_SUFFIX_WORDS_MAX = 5


@lru_cache(maxsize=20_000)
def folded(name: str) -> str:
    """NAME without diacritics: `prénom` -> `prenom`; German ß as ss."""
    if name.isascii():
        return name
    plain = normalize("NFKD", name.replace("ß", "ss").replace("ø", "o").replace("ł", "l"))
    return "".join(char for char in plain if not combining(char))


def concept(words: tuple[str, ...]) -> Kind | None:
    """What a name of WORDS, in lower case, says about a person; None when nothing."""
    if _NEVER.intersection(words[:-1]):
        return None
    while len(words) > 1 and (words[-1].isdigit() or words[-1] in _TAILS):
        found = _suffix(words)
        if found is not None:
            return found
        words = words[:-1]
    return _suffix(words)


def _suffix(words: tuple[str, ...]) -> Kind | None:
    for start in range(max(0, len(words) - _SUFFIX_WORDS_MAX), len(words)):
        joined = "".join(words[start:])
        kind = _BY_WORDS.get(joined)
        if kind is None and joined[-1:].isdigit():
            joined = joined.rstrip("0123456789")
            kind = _BY_WORDS.get(joined)
        if kind is not None:
            return _qualified(kind, joined, words[:start])
    return None


def _qualified(kind: Kind, joined: str, before: tuple[str, ...]) -> Kind | None:
    """KIND, said by a name that ends in JOINED, in the light of the words BEFORE it."""
    if not before or kind is Kind.SECRET:
        return kind
    if kind in (Kind.PERSON, Kind.BUSINESS):
        return kind
    last = before[-1]
    if kind is Kind.PERHAPS_NAME:
        return _whose_name(joined, before)
    if kind is Kind.PERHAPS_PLACE and _RESIDENT.intersection(before):
        return Kind.PLACE
    if joined in _WHOLE_ONLY:
        return kind if last in _PERSONS else None
    if kind is Kind.IP and _SERVER.intersection(before):
        return None
    if kind is Kind.STREET and last in ("email", "mail", "web", "site", "wallet", "contract"):
        return None
    if kind in (Kind.NAME, Kind.STREET, Kind.PERHAPS_PLACE) and _BUSINESSES.intersection(before):
        return None
    return kind


def _whose_name(joined: str, before: tuple[str, ...]) -> Kind | None:
    if before[-1] in ("user", "account", "login", "sign", "screen", "sub"):
        return Kind.PERSON  # an account's, unless it looks like a person's
    if before[-1] in _PERSONS or "".join(before) in _PERSONS:
        return Kind.CALLED
    if joined == "displayname" or (joined == "name" and before[-1] in ("contact", "legal")):
        return Kind.PERHAPS_NAME
    return None
