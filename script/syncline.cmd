@echo off
rem Windows twin of script/syncline: builds .venv on first use, then runs syncline with these arguments.
rem Written from the documentation and not yet tried on a Windows machine.
setlocal
where /q py
if errorlevel 1 goto plain
py -3 -I "%~dp0bootstrap.py" run %*
exit /b %errorlevel%
:plain
where /q python
if errorlevel 1 goto missing
python -I "%~dp0bootstrap.py" run %*
exit /b %errorlevel%
:missing
echo syncline: needs Python 3.11 or newer. Install it, for example with: winget install Python.Python.3.13 1>&2
exit /b 2
